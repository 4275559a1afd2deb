// Values that are no numbers, on their way through batch normalisation.
#include <cmath>
#include <vector>

#include "kernels/batch_norm.h"
#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class BatchNormNanCuda : public CudaKernel {};

// Channels in vectors and not; in the first row, from which sums are shifted, and in others.
TEST_F(BatchNormNanCuda, ReachesTheStatistics) {
  for (const float bad : {NAN, INFINITY, -INFINITY})
    for (const size_t channels : {3, 8})
      for (const int64_t at : {0, 1, 69}) {
        SCOPED_TRACE(testing::Message() << bad << " in row " << at << ", " << channels << " channels");
        const auto n = static_cast<int64_t>(channels);
        HostMatrix<float> values = normal_rows(70, n, Seed{1});
        values.view().row(at)[1] = bad;
        const OnDevice<float> x(values), gamma(std::vector<float>(channels, 1.f)),
            beta(std::vector<float>(channels, 0.f)), running_mean(beta.host()), running_var(gamma.host()),
            mean(poison<float>(n)), invstd(beta.host()), y(HostMatrix<float>(70, n)), dy(normal_rows(70, n, Seed{2})),
            dx(HostMatrix<float>(70, n)), dgamma(beta.host());
        batch_norm_forward(BatchNormForward<float>{.x = x.matrix(),
                                                   .gamma = gamma.span(),
                                                   .beta = beta.span(),
                                                   .relu = true,
                                                   .running_mean = running_mean.span(),
                                                   .running_var = running_var.span(),
                                                   .mean = mean.span(),
                                                   .invstd = invstd.span(),
                                                   .y = y.matrix()},
                           queue);
        batch_norm_backward(BatchNormBackward<float>{.x = x.matrix(),
                                                     .y = y.matrix(),
                                                     .dy = dy.matrix(),
                                                     .gamma = gamma.span(),
                                                     .mean = mean.span(),
                                                     .invstd = invstd.span(),
                                                     .relu = true,
                                                     .dgamma = dgamma.span(),
                                                     .dx = dx.matrix()},
                            queue);
        for (size_t c = 0; c < channels; ++c) {
          for (const auto* v : {&mean, &running_mean}) EXPECT_EQ(std::isfinite(v->host()[c]), c != 1) << c;
          for (const auto* v : {&running_var, &invstd, &dgamma}) EXPECT_EQ(std::isnan(v->host()[c]), c == 1) << c;
        }
        const std::vector<float> all = y.host(), gradient = dx.host();
        for (size_t i = 0; i < all.size(); ++i) {
          ASSERT_EQ(std::isnan(all[i]), i % channels == 1) << i;
          ASSERT_EQ(std::isnan(gradient[i]), i % channels == 1) << i;
        }
      }
}

}  // namespace
}  // namespace kith::test
