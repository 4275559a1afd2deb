// On a GPU the sums of kernels/index/label_sums.h are Thrust's CUDA system at work; under the SIMT runner the same source runs
// under its OpenMP system.
#include "kernels/core/philox.h"
#include "kernels/index/label_sums.h"
#include "tests/support/compare.h"
#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class LabelSumsCuda : public CudaKernel {};

TEST_F(LabelSumsCuda, HaveTheBitsOfTheCpu) {
  for (const auto& [rows, dim, groups] : {std::tuple{1, 1, 1}, {40, 3, 5}, {3000, 65, 7}}) {
    const HostMatrix<float> x = normal_rows(rows, dim, Seed{13});
    Random random(14, 0, 0, 0);
    std::vector<int32_t> labels;
    for (int i = 0; i < rows; ++i) labels.push_back(static_cast<int32_t>(random.below(static_cast<uint32_t>(groups))));
    std::vector<double> want(static_cast<size_t>(groups * dim), 0.1);
    std::vector<int64_t> counts(static_cast<size_t>(groups), 2);
    const OnDevice<float> rows_there(x.values);
    const OnDevice<int32_t> labels_there(labels);
    const OnDevice<double> sums(want);
    const OnDevice<int64_t> counts_there(counts);
    cpu::add_label_sums({.x = x.view(), .labels = labels, .sums = {want.data(), groups, dim}, .counts = counts});
    add_label_sums({.x = {rows_there.data(), rows, dim},
                    .labels = labels_there.span(),
                    .sums = {sums.data(), groups, dim},
                    .counts = counts_there.span()},
                   queue);
    EXPECT_EQ(sums.host(), want) << rows << " x " << dim;
    EXPECT_EQ(counts_there.host(), counts) << rows << " x " << dim;
  }
}

}  // namespace
}  // namespace kith::test
