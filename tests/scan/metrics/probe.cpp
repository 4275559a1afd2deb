#include "scan/metrics/probe.h"

#include <omp.h>

#include "scan/metrics/lbfgs.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

TEST(Lbfgs, MinimisesAnIllConditionedQuadratic) {
  // f = sum_i i^2 (x_i - i)^2 / 2, i = 1..30: condition number 900, minimum 0 at x_i = i.
  const Objective f = [](std::span<const double> x, std::span<double> g) {
    double value = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double n = static_cast<double>(i + 1), d = x[i] - n;
      value += n * n * d * d / 2;
      g[i] = n * n * d;
    }
    return value;
  };
  std::vector<double> x(30, 0.0), want(30);
  for (size_t i = 0; i < want.size(); ++i) want[i] = static_cast<double>(i + 1);
  const LbfgsResult result = minimise(f, x, {.max_iterations = 500, .tolerance = 1e-9});
  EXPECT_TRUE(result.converged);
  EXPECT_TRUE(close(x, want, {.abs = 1e-9}));  // |gradient_i| = i^2 |x_i - i| <= 1e-9
}

TEST(Lbfgs, StopsWhenNoStepIsLower) {
  const Objective wrong_gradient = [](std::span<const double> x, std::span<double> g) {
    g[0] = -1;
    return x[0];
  };
  std::vector<double> x = {2};
  const LbfgsResult result = minimise(wrong_gradient, x, {});
  EXPECT_FALSE(result.converged);
  EXPECT_EQ(x[0], 2);
}

TEST(Probe, FindsScikitLearnsMinimum) {
  const SafeTensors file = golden("probe");
  const auto x = values<float>(file, "x"), x_test = values<float>(file, "x_test");
  const auto y = values<int32_t>(file, "y"), y_test = values<int32_t>(file, "y_test");
  const Matrix<const float> train{x.data(), static_cast<int64_t>(y.size()), static_cast<int64_t>(x.size() / y.size())};
  const Matrix<const float> test{x_test.data(), static_cast<int64_t>(y_test.size()), train.cols};
  const ProbeOptions tight{.tolerance = 1e-5, .max_iterations = 1000};
  const Probe probe = fit_probe(train, y, tight);
  EXPECT_TRUE(probe.converged);
  // The objective is strongly convex with modulus m = 1 / (c n) in the weights, and |gradient|^2 / (2 m) bounds what is
  // missing: parameters * 1e-10 / (2 m). The sums themselves are f32: 16 roundoffs.
  const double n = static_cast<double>(y.size()),
               parameters = static_cast<double>(probe.weight.size() + probe.bias.size());
  const double want = values<double>(file, "loss")[0];
  EXPECT_NEAR(probe.loss, want, parameters * 1e-10 * n / 2 + 16 * kUnit * want);
  // Weights are as near as |gradient| / m in the worst direction; in the data's directions curvature is far larger.
  EXPECT_TRUE(close(std::span<const float>(probe.weight), values<double>(file, "weight"), {.abs = 1e-5 * n}));
  EXPECT_EQ(predict(probe, test),
            std::vector<int32_t>(values<int32_t>(file, "predicted").begin(), values<int32_t>(file, "predicted").end()));
  EXPECT_EQ(probe_accuracy(train, y, test, y_test, tight), values<double>(file, "accuracy")[0]);
}

TEST(Probe, SameBitsForAnyNumberOfThreads) {
  const HostMatrix<float> x = normal_rows(3000, 7, Seed{3});
  std::vector<int32_t> y(3000);
  for (int64_t i = 0; i < 3000; ++i) y[i] = x.view().row(i)[0] + x.view().row(i)[3] > 0 ? 2 : 0;
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Probe one = fit_probe(x.view(), y);
  omp_set_num_threads(3);
  const Probe three = fit_probe(x.view(), y);
  omp_set_num_threads(threads);
  EXPECT_EQ(one.weight, three.weight);
  EXPECT_EQ(one.loss, three.loss);
}

TEST(Probe, DegenerateSets) {
  HostMatrix<float> x(4, 2, 5.f);  // constant columns
  const std::vector<int32_t> y = {0, 0, 0, 1};
  const Probe constant = fit_probe(x.view(), y);
  EXPECT_EQ(predict(constant, x.view()), (std::vector<int32_t>{0, 0, 0, 0}));  // only the bias can learn: the majority
  EXPECT_TRUE(close(std::vector<float>{constant.bias[0] - constant.bias[1]}, std::vector<double>{std::log(3.0)},
                    {.abs = 1e-3}));
  const std::vector<int32_t> same = {0, 0, 0, 0};
  EXPECT_EQ(probe_accuracy(x.view(), same, x.view(), same), 1);  // one class
  EXPECT_EQ(fit_probe(x.view(), y, {}, 5).bias.size(), 5u);      // classes without a sample
}

TEST(Probe, BadInputIsAnError) {
  HostMatrix<float> x(3, 2);
  EXPECT_THROW(fit_probe(x.view(), std::vector<int32_t>{0, 1}), Error);
  EXPECT_THROW(fit_probe(x.view(), std::vector<int32_t>{0, 1, -1}), Error);
  EXPECT_THROW(fit_probe(x.view(), std::vector<int32_t>{0, 1, 2}, {}, 2), Error);
  EXPECT_THROW(fit_probe({}, {}), Error);
  x.values[3] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(fit_probe(x.view(), std::vector<int32_t>{0, 1, 0}), Error);
  const Probe probe = fit_probe(HostMatrix<float>(3, 2).view(), std::vector<int32_t>{0, 1, 0});
  EXPECT_THROW(predict(probe, HostMatrix<float>(3, 5).view()), Error);
}

}  // namespace
}  // namespace kith::test
