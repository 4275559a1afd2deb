// The parts of winograd_bf16, for one thread, in AVX512_BF16 whatever else the build is for.
//
// In a group of 32 channels V and U have the even ones first, then the odd ones: what two 16-bit halves of a vector of 32-bit
// lanes come to. It is only the order of a sum.
#pragma once
#include <cstdint>

#include "kernels/winograd_bf16.h"

namespace kith::kernels::cpu {

inline constexpr int kPositions = 16;  // of a transformed tile
inline constexpr int64_t kGroup = 32;  // channels that are summed over in one piece of the weights
inline constexpr int64_t kLanes = 16;  // channels of the result in one piece of the weights

// Channels of the result that are multiplied together.
inline int64_t winograd_panel(int64_t to) { return to % 64 == 0 ? 64 : 32; }

// Tiles of all images in one order, and a block of them as it lies in scratch memory.
struct WinogradTiles {
  int64_t rows, cols;  // of one image, in tiles
  int64_t count;       // of all images
  int64_t most;        // in a block
  int64_t v_stride;    // elements from one position to the next; a line more than a power of two
  int64_t m_stride;

  explicit WinogradTiles(const WinogradBf16& a);
};

// Piece of U [to / panel][position][from / 2][panel][2]: the group `from` and the lanes `to`, numbers of channels.
void winograd_weights_forward(const WinogradBf16&, int64_t from, int64_t to);
void winograd_weights_data(const WinogradBf16&, int64_t from, int64_t to);

// V [position][tile][from] of the tiles begin .. end.
void winograd_images(const WinogradBf16&, const WinogradTiles&, int64_t begin, int64_t end, bf16* v);

// M [position][tile][panel] = V U, for `tiles` of them and the panel that begins with channel `to`.
void winograd_products(const WinogradBf16&, const WinogradTiles&, int64_t tiles, int64_t to, const bf16* v, float* m);

// Results of the tiles, one panel of channels.
void winograd_results(const WinogradBf16&, const WinogradTiles&, int64_t begin, int64_t end, int64_t to,
                      const float* m);

}  // namespace kith::kernels::cpu
