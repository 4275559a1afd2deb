#include "kernels/ntxent.h"

#include <omp.h>

#include <algorithm>

#include "kernels/core/bf16.h"
#include "kernels/core/check.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

template <class T>
struct Result {
  std::vector<T> lse, loss;
  HostMatrix<T> dz;
};

template <class T>
Result<T> run(const HostMatrix<T>& z, T tau, const std::vector<T>& dloss, Products products = Products::f32) {
  Result<T> r{std::vector<T>(z.rows), std::vector<T>(z.rows), {z.rows, z.cols, std::numeric_limits<T>::quiet_NaN()}};
  const NtXentForward<T> f{
      .anchors = z.view(), .keys = z.view(), .tau = tau, .lse = r.lse, .loss = r.loss, .products = products};
  const NtXentBackward<T> b{.anchors = z.view(),
                            .keys = z.view(),
                            .lse = r.lse,
                            .dloss = dloss,
                            .tau = tau,
                            .danchors = r.dz.view(),
                            .dkeys = r.dz.view(),
                            .products = products};
  if constexpr (std::is_same_v<T, float>) {
    ntxent_forward(f, Queue{}), ntxent_backward(b, Queue{});
  } else {
    cpu::ntxent_forward(f), cpu::ntxent_backward(b);
  }
  return r;
}

std::vector<float> one_sided(int64_t rows) {
  std::vector<float> g(rows);
  for (int64_t i = 0; i < rows; i += 2) g[i] = 2 / static_cast<float>(rows);
  return g;
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// As bf16 products take rows.
HostMatrix<float> rounded(HostMatrix<float> z) {
  for (float& v : z.values) v = widen(narrow(v));
  return z;
}

void expect_oracle(const HostMatrix<float>& z, float tau, const std::vector<float>& g, Products products) {
  SCOPED_TRACE(testing::Message() << "rows " << z.rows << ", dim " << z.cols << ", tau " << tau
                                  << (products == Products::bf16 ? ", bf16" : ""));
  const bool is_bf16 = products == Products::bf16;
  const auto got = run(z, tau, g, products);
  const HostMatrix<double> w = widen(is_bf16 ? rounded(z) : z);
  const auto want = run(w, double{tau}, widen(g));
  double largest = 0, upstream = 0;  // |z|^2 and |g|
  for (int64_t i = 0; i < z.rows; ++i) {
    largest = std::max(largest, dot(w.view().row(i), w.view().row(i)));
    upstream = std::max(upstream, std::abs(double{g[i]}));
  }
  // s = <z, z> / tau has error sqrt(dim) u |s| (Higham & Mary 2019), twice that of bf16, whose sums may be cut off, plus the
  // rounding of 1 / tau and of the difference to a common bound, up to 2 |s|; the sum of exponentials sqrt(rows) u; factor 4
  // in hand.
  const double s = largest / tau, ds = kUnit * ((is_bf16 ? 2 : 1) * std::sqrt(z.cols) + 4) * s;
  const double loss_error = 4 * (ds + kUnit * (std::sqrt(z.rows) + s));
  EXPECT_TRUE(close(got.lse, want.lse, {.abs = loss_error}));
  EXPECT_TRUE(close(got.loss, want.loss, {.abs = loss_error}));
  // dz_i sums weights, of which the positives' add up to 2 g and the others' to at most g (1 + column sum of P), each
  // with the relative error of its exponential (error of s and lse); the column sum is taken from the oracle, as |dz|
  // itself.
  double columns = 0;
  for (int64_t k = 0; k < z.rows; ++k) {
    double column = 0;
    for (int64_t i = 0; i < z.rows; ++i)
      if (i != k) column += std::exp(dot(w.view().row(i), w.view().row(k)) / tau - want.lse[i]);
    columns = std::max(columns, column);
  }
  const double weight = upstream * (3 + columns);
  const double dz_error =
      weight * std::sqrt(largest) / tau * (2 * loss_error + 4 * kUnit * std::sqrt(z.rows) + (is_bf16 ? 0x1p-8 : 0));
  EXPECT_TRUE(close(got.dz.values, want.dz.values, {.abs = dz_error}));
}

void expect_oracle(const HostMatrix<float>& z, float tau, const std::vector<float>& g) {
  expect_oracle(z, tau, g, Products::f32);
  expect_oracle(z, tau, g, Products::bf16);
}

TEST(NtXent, OracleGradientMatchesCentralDifferences) {
  const HostMatrix<double> z = widen(unit_rows(6, 5, Seed{1}));
  const std::vector<double> g = widen(normal(6, Seed{2}));
  const auto want = central_differences(z.values, [&](const std::vector<double>& v) {
    HostMatrix<double> moved(6, 5);
    moved.values = v;
    return dot(run(moved, 0.5, g).loss, g);
  });
  EXPECT_TRUE(close(run(z, 0.5, g).dz.values, want, {.abs = 1e-8, .rel = 1e-8}));
}

TEST(NtXent, MatchesTheOracle) {
  // Minimum, odd, one block of 128, one row pair around it, several blocks (odd and even number).
  for (const auto& [rows, dim] : {std::pair{4, 1}, {34, 31}, {126, 8}, {128, 32}, {130, 33}, {384, 16}, {514, 129}}) {
    for (const float tau : {0.01f, 0.07f, 0.5f})
      expect_oracle(unit_rows(rows, dim, Seed{7}), tau, normal(rows, Seed{8}));
  }
}

TEST(NtXent, MatchesTheOracleInLargeBlocks) { expect_oracle(unit_rows(2306, 5, Seed{3}), 0.1f, one_sided(2306)); }

TEST(NtXent, AroundTheRangeOfOneExponential) {
  // One exponential for each pair serves while 2 |z|^2 log2(e) / tau <= 86, two beyond it: tau = 0.03355 for unit rows. Half of
  // the rows are opposite to the others, so that scores fill the range.
  HostMatrix<float> z = unit_rows(264, 9, Seed{18});
  for (int64_t i = 132; i < 264; ++i)
    for (int64_t d = 0; d < 9; ++d) z.view().row(i)[d] = -z.view().row(i - 132)[d];
  for (const float tau : {0.033f, 0.0335f, 0.0336f, 0.034f}) expect_oracle(z, tau, normal(264, Seed{19}));
  // A row all of whose scores stand at the other end of the range.
  for (int64_t i = 0; i < 264; ++i)
    for (int64_t d = 0; d < 9; ++d) z.view().row(i)[d] = d == 0 ? (i == 100 ? -1.f : 1.f) : 0.05f * z.view().row(i)[d];
  for (const float tau : {0.02f, 0.034f, 0.1f}) expect_oracle(z, tau, normal(264, Seed{19}));
}

TEST(NtXent, LossesNearZeroKeepTheirDigits) {
  // Two views that are equal, all images orthogonal: s is 1 / tau or 0. The loss is log(1 + (rows - 2) exp(-1 / tau)) and is off
  // by the rounding of exponentials and sums alone, whatever the size of s.
  HostMatrix<float> z(32, 16, 0.f);
  for (int64_t i = 0; i < 32; ++i) z.view().row(i)[i / 2] = 1;
  for (const float tau : {0.034f, 0.05f, 0.07f, 0.2f})
    for (const Products products : {Products::f32, Products::bf16}) {
      const auto got = run(z, tau, std::vector<float>(32, 1.f), products);
      // Exponentials within 2 ulp, which is 4 u; the logarithm, the loss; each addition to the positive's term loses u, or the
      // other term if that is smaller; and that term is off by the rounding of its argument, u 2 / tau.
      const double other = std::exp(-1 / double{tau}),
                   error = 6 * kUnit + 30 * (std::min<double>(kUnit, other) + 2 * kUnit / tau * other);
      for (const float l : got.loss) EXPECT_NEAR(l, std::log1p(30 * other), error) << tau;
    }
}

TEST(NtXent, Bf16RoundsRowsAndWeights) {
  // Rows that are no bf16 numbers: as if they had been rounded before.
  const HostMatrix<float> z = unit_rows(264, 33, Seed{20});
  const std::vector<float> g = one_sided(264);
  const auto got = run(z, 0.1f, g, Products::bf16), want = run(rounded(z), 0.1f, g, Products::bf16);
  // Sums of the same exponentials, of arguments that are rounded beside different bounds of all scores, up to 2 / tau.
  const test::Tolerance rounding{.abs = 4 * kUnit * (2 / 0.1 + std::sqrt(264.))};
  EXPECT_TRUE(close(got.loss, widen(want.loss), rounding));
  // A weight that two roundings of an exponential put on both sides of a boundary differs by 2^-8 of itself, and those of a row
  // add up to (g + g) / tau.
  EXPECT_TRUE(close(got.dz.values, widen(want.dz.values), {.abs = 2 / 264. / 0.1 * 0x1p-8}));
  EXPECT_FALSE(close(run(z, 0.1f, g).loss, widen(want.loss), rounding));
}

TEST(NtXent, RowsWithoutUpstreamGradientAreNoAnchors) {
  expect_oracle(unit_rows(262, 19, Seed{9}), 0.1f, one_sided(262));
  const auto none = run(unit_rows(262, 19, Seed{9}), 0.1f, std::vector<float>(262, 0.f));
  for (const float d : none.dz.values) EXPECT_EQ(d, 0);
}

TEST(NtXent, UnnormalisedRowsWithLogitsFarBeyondTheRangeOfExp) {
  HostMatrix<float> z = normal_rows(140, 9, Seed{10}, 4.f);
  expect_oracle(z, 0.5f, normal(140, Seed{11}));  // s up to several hundred
}

TEST(NtXent, EqualRows) {
  HostMatrix<float> z(200, 6, 0.f);
  for (int64_t i = 0; i < 200; ++i) z.view().row(i)[2] = 1;
  const auto r = run(z, 0.1f, std::vector<float>(200, 1 / 200.f));
  // All similarities are equal: the loss is log(rows - 1), exact up to the sum's and the logarithm's rounding.
  for (const float l : r.loss) EXPECT_NEAR(l, std::log(199.0), 8 * kUnit * std::log(199.0));
  HostMatrix<float> pairs = unit_rows(200, 6, Seed{12});
  for (int64_t i = 0; i < 200; i += 2) std::copy_n(pairs.values.data() + i * 6, 6, pairs.values.data() + (i + 1) * 6);
  expect_oracle(pairs, 0.07f, normal(200, Seed{13}));
}

TEST(NtXent, MatchesPyTorch) {
  const auto file = golden("losses");
  for (const std::string name : {"ntxent.symmetric", "ntxent.one_sided"}) {
    SCOPED_TRACE(name);
    HostMatrix<double> z(12, 7);
    z.values = widen(values<float>(file, name + ".z"));
    const auto g = values<double>(file, name + ".dloss");
    const auto got = run(z, values<double>(file, name + ".tau")[0], {g.begin(), g.end()});
    EXPECT_TRUE(close(std::span<const double>(got.loss), values<double>(file, name + ".loss"), {.rel = 1e-13}));
    EXPECT_NEAR(dot(got.loss, g), values<double>(file, name + ".mean")[0], 1e-13);
    EXPECT_TRUE(close(std::span<const double>(got.dz.values), values<double>(file, name + ".dz"), {.abs = 1e-13}));
  }
}

TEST(NtXent, AddsTwice) {
  const HostMatrix<float> z = unit_rows(300, 12, Seed{14});
  const std::vector<float> g = normal(300, Seed{15});
  auto once = run(z, 0.2f, g);
  HostMatrix<float> twice = once.dz;
  ntxent_backward({.anchors = z.view(),
                   .keys = z.view(),
                   .lse = once.lse,
                   .dloss = g,
                   .tau = 0.2f,
                   .danchors = twice.view(),
                   .dkeys = twice.view(),
                   .write_danchors = Write::add},
                  Queue{});
  // Not exactly twice: products are accumulated onto the first gradient, one rounding of it per block.
  std::vector<double> want = widen(once.dz.values);
  for (double& x : want) x *= 2;
  double largest = 0;
  for (const double x : want) largest = std::max(largest, std::abs(x));
  EXPECT_TRUE(close(twice.values, want, {.abs = 16 * kUnit * largest}));
}

TEST(NtXent, BitEqualForAnyNumberOfThreads) {
  const HostMatrix<float> z = unit_rows(646, 24, Seed{16});
  const std::vector<float> g = normal(646, Seed{17});
  const int threads = omp_get_max_threads();
  for (const Products products : {Products::f32, Products::bf16})
    for (const float tau : {0.01f, 0.1f}) {
      omp_set_num_threads(1);
      const auto want = run(z, tau, g, products);
      for (const int n : {2, 3, threads}) {
        omp_set_num_threads(n);
        const auto got = run(z, tau, g, products);
        EXPECT_EQ(got.loss, want.loss) << n << " threads";
        EXPECT_EQ(got.dz.values, want.dz.values) << n << " threads";
      }
    }
  omp_set_num_threads(threads);
}

TEST(NtXent, RejectsWrongArguments) {
  HostMatrix<float> z = unit_rows(6, 3, Seed{1});
  std::vector<float> six(6), five(5);
  const auto forward = [&](int64_t rows, float tau, std::span<float> lse) {
    const Matrix<const float> view{z.values.data(), rows, 3};
    ntxent_forward({.anchors = view, .keys = view, .tau = tau, .lse = lse, .loss = std::span(six).first(rows)},
                   Queue{});
  };
  EXPECT_NO_THROW(forward(6, 0.1f, six));
  EXPECT_THROW(forward(5, 0.1f, five), Error);
  EXPECT_THROW(forward(2, 0.1f, std::span(six).first(2)), Error);
  EXPECT_THROW(forward(6, 0.f, six), Error);
  EXPECT_THROW(forward(6, std::nanf(""), six), Error);
  EXPECT_THROW(forward(6, 0.1f, five), Error);
  HostMatrix<float> dz(6, 2);
  EXPECT_THROW(
      ntxent_backward(
          {.anchors = z.view(), .keys = z.view(), .lse = six, .dloss = six, .tau = 0.1f, .danchors = dz.view()},
          Queue{}),
      Error);
}

}  // namespace
}  // namespace kith::test
