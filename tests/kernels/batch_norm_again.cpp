// Normalising once more by the statistics of an earlier call: what --recompute does in the backward pass.
#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/core/check.h"
#include "tests/kernels/batch_norm_problem.h"

namespace kith::test {
namespace {

using namespace kernels;

TEST(BatchNorm, AgainGivesTheSameBitsAndWritesNothingElse) {
  for (const auto& [rows, channels] : {std::pair<int64_t, int64_t>{513, 3}, {8193, 16}, {258, 300}})
    for (const bool residual : {false, true})
      for (const bool relu : {false, true}) {
        BatchNormProblem<float> p = draw_batch_norm(rows, channels, 1.f);
        batch_norm_forward(p.forward(residual, relu), Queue{});
        BatchNormProblem<float> later = p;
        std::fill(later.y.values.begin(), later.y.values.end(), NAN);
        BatchNormForward<float> a = later.forward(residual, relu);
        a.again = true;
        batch_norm_forward(a, Queue{});
        EXPECT_EQ(later.y.values, p.y.values);
        EXPECT_EQ(later.mean, p.mean);
        EXPECT_EQ(later.invstd, p.invstd);
        EXPECT_EQ(later.running_mean, p.running_mean);
        EXPECT_EQ(later.running_var, p.running_var);
        // The oracle reads the same statistics: x - mean carries |x| + |mean| <= 6 in u, scaled by at most 32.
        BatchNormProblem<double> want = widen_all(p);
        want.mean = widen(p.mean), want.invstd = widen(p.invstd);
        BatchNormForward<double> w = want.forward(residual, relu);
        w.again = true;
        cpu::batch_norm_forward(w);
        EXPECT_TRUE(close(p.y.values, want.y.values, {.abs = 6 * 32 * kUnit}));
      }
  BatchNormProblem<float> p = draw_batch_norm(4, 2, 0.f);
  BatchNormForward<float> a = p.forward(false, false, false);
  a.again = true;
  EXPECT_THROW(batch_norm_forward(a, Queue{}), Error);
}

}  // namespace
}  // namespace kith::test
