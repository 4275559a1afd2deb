// Work cut into so many parts that its blocks fill a device.
#pragma once
#include <algorithm>
#include <cstdint>

namespace kith::kernels::cuda {

// Into how many parts each of `tiles` blocks of work is divided: the fewest, at most `most`, whose waves of blocks on the
// `slots` of a device are full to within 3 % of the fullest. Slots: multiprocessors times the blocks that each holds at a time.
inline int fullest_splits(int64_t tiles, int64_t slots, int64_t most) {
  most = std::clamp(most, int64_t{1}, std::max(int64_t{8}, (slots + tiles - 1) / tiles));
  int64_t best = 1;
  double best_share = 0;
  for (int64_t splits = 1; splits <= most; ++splits) {
    const int64_t blocks = tiles * splits, waves = (blocks + slots - 1) / slots;
    const double share = static_cast<double>(blocks) / static_cast<double>(waves * slots);
    if (share > 1.03 * best_share) best = splits, best_share = share;
  }
  return static_cast<int>(best);
}

}  // namespace kith::kernels::cuda
