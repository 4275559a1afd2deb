// The oracle of batch normalisation against PyTorch and against central differences.
#include "tests/kernels/batch_norm_problem.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

TEST(BatchNorm, OracleMatchesPyTorch) {
  const SafeTensors file = golden("batch_norm");
  const auto vector = [&](const std::string& name) {
    const std::span<const double> v = values<double>(file, name);
    return std::vector<double>(v.begin(), v.end());
  };
  const auto matrix = [&](const std::string& name) {
    HostMatrix<double> m(36, 5);
    m.values = vector(name);
    return m;
  };
  const Tolerance tol = {.abs = 36 * 16 * 0x1p-53};  // sums of 36 terms below 16
  std::vector<double> running_mean(5, 0.0), running_var(5, 1.0);
  for (const std::string step : {".0", ".1"}) {
    BatchNormProblem<double> p(matrix("x" + step), matrix("residual" + step), matrix("dy" + step), vector("gamma"),
                               vector("beta"));
    p.running_mean = running_mean, p.running_var = running_var;
    cpu::batch_norm_forward(p.forward(true, true));
    cpu::batch_norm_backward(p.backward(true, true, Write::overwrite));
    EXPECT_TRUE(close(p.y.values, vector("y" + step), tol));
    EXPECT_TRUE(close(p.running_mean, vector("running_mean" + step), tol));
    EXPECT_TRUE(close(p.running_var, vector("running_var" + step), tol));
    EXPECT_TRUE(close(p.dx.values, vector("dx" + step), tol));
    EXPECT_TRUE(close(p.dresidual.values, vector("dresidual" + step), tol));
    EXPECT_TRUE(close(p.dgamma, vector("dgamma" + step), tol));
    EXPECT_TRUE(close(p.dbeta, vector("dbeta" + step), tol));
    running_mean = p.running_mean, running_var = p.running_var;
    if (step == ".0") continue;
    cpu::batch_norm_forward(p.forward(true, true, false));
    EXPECT_TRUE(close(p.y.values, vector("eval"), tol));
  }
}

TEST(BatchNorm, OracleMatchesCentralDifferences) {
  for (const bool relu : {false, true}) {
    BatchNormProblem<double> p = widen_all(draw_batch_norm(7, 3, 1.f));
    cpu::batch_norm_forward(p.forward(true, relu));
    cpu::batch_norm_backward(p.backward(true, relu, Write::overwrite));
    const auto gradient = [&](std::vector<double>& argument) {
      const std::vector<double> at = argument;
      const std::vector<double> g = central_differences(at, [&](const std::vector<double>& v) {
        argument = v;
        cpu::batch_norm_forward(p.forward(true, relu));
        double sum = 0;
        for (size_t i = 0; i < p.y.values.size(); ++i) sum += p.dy.values[i] * p.y.values[i];
        return sum;
      });
      argument = at;
      return g;
    };
    // Truncation of the differences is h^2 f''' / 6 and their rounding u |f| / h, both about 1e-10 for f of order 10.
    const Tolerance tol = {.abs = 1e-8, .rel = 1e-8};
    EXPECT_TRUE(close(p.dx.values, gradient(p.x.values), tol)) << relu;
    EXPECT_TRUE(close(p.dresidual.values, gradient(p.residual.values), tol)) << relu;
    EXPECT_TRUE(close(p.dgamma, gradient(p.gamma), tol)) << relu;
    EXPECT_TRUE(close(p.dbeta, gradient(p.beta), tol)) << relu;
  }
}

}  // namespace
}  // namespace kith::test
