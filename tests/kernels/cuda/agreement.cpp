#include "kernels/agreement.h"

#include "kernels/core/philox.h"
#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class AgreementCuda : public CudaKernel {};

// Rows around a block of eight warps; lists shorter than a warp, as long, longer.
constexpr std::pair<int64_t, int64_t> kShapes[] = {{1, 1}, {7, 31}, {8, 32}, {9, 33}, {20, 100}};

TEST_F(AgreementCuda, MatchesTheCpu) {
  for (const auto& [rows, k] : kShapes) {
    const int64_t count = rows + 5;
    Random random(4, 0, static_cast<uint64_t>(rows), 0);
    std::vector<int32_t> labels(static_cast<size_t>(count)), want(static_cast<size_t>(rows));
    for (int32_t& l : labels) l = static_cast<int32_t>(random.below(3));
    std::vector<int64_t> neighbours(static_cast<size_t>(rows * k));
    for (int64_t& n : neighbours) n = static_cast<int64_t>(random.below(static_cast<uint32_t>(count + 2))) - 2;
    cpu::agreement({.neighbours = {neighbours.data(), rows, k}, .labels = labels, .agree = want});
    const OnDevice<int64_t> lists(neighbours);
    const OnDevice<int32_t> device_labels(labels), agree(std::vector<int32_t>(static_cast<size_t>(rows), -7));
    cuda::agreement({.neighbours = {lists.data(), rows, k}, .labels = device_labels.span(), .agree = agree.span()},
                    queue);
    EXPECT_EQ(agree.host(), want) << rows << " x " << k;
  }
}

TEST_F(AgreementCuda, SaysWhichRowHasNoSuchNeighbour) {
  const OnDevice<int64_t> lists(std::vector<int64_t>{0, 1, 1, 2, 0, 1});
  const OnDevice<int32_t> labels(std::vector<int32_t>{1, 1}), three(std::vector<int32_t>{1, 1, 1}),
      agree(std::vector<int32_t>{-7, -7});
  cuda::agreement({.neighbours = {lists.data(), 2, 2}, .labels = labels.span(), .agree = agree.span()}, queue);
  EXPECT_EQ(agree.host(), (std::vector<int32_t>{2, -1}));
}

}  // namespace
}  // namespace kith::test
