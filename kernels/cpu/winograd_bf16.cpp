#include "kernels/winograd_bf16.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/core/onednn_isa.h"
#include "kernels/core/parallel.h"
#include "kernels/cpu/aligned.h"
#include "kernels/cpu/winograd_bf16_tiles.h"

namespace kith::kernels {

using namespace cpu;

// A block's V and M, 16 (2 from + 4 panel) bytes a tile, and U of a panel stay in a second-level cache of 1 MiB: 48 tiles have
// 290 KB with 64 channels. Few tiles are cut smaller, so that threads share them evenly: with 24 no loss was seen.
WinogradTiles::WinogradTiles(const WinogradBf16& a)
    : rows(ceil_div(a.height, 2)),
      cols(ceil_div(a.width, 2)),
      count(a.images * rows * cols),
      most(count < 2048 ? 24 : 48),
      v_stride(most * a.from + 32),
      m_stride(most * winograd_panel(a.to) + 16) {}

namespace {

// Of this thread, and kept: fresh from the system for each block, its pages cost as much time as the products.
template <class T>
T* kept_scratch(int64_t count) {
  static thread_local AlignedArray<T> memory;
  static thread_local int64_t size = 0;
  if (size < count) memory = aligned_array<T>(count), size = count;
  return memory.get();
}

using Piece = void (*)(const WinogradBf16&, int64_t from, int64_t to);

void winograd(const WinogradBf16& a, Piece weights) {
  check(winograd_bf16_offered(), "winograd_bf16: this processor has no AVX512_BF16");
  check(a.from > 0 && a.to > 0 && a.from % kGroup == 0 && a.to % kGroup == 0,
        fmt::format("winograd_bf16: channels in multiples of 32 expected, found {} and {}", a.from, a.to));
  check(std::ssize(a.transformed) >= kPositions * a.from * a.to,
        fmt::format("winograd_bf16: scratch of {} elements expected, found {}", kPositions * a.from * a.to,
                    a.transformed.size()));
  const WinogradTiles tiles(a);
  if (tiles.count <= 0) return;
  const int64_t groups = a.from / kGroup;
  parallel_for(groups * (a.to / kLanes), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) weights(a, i % groups * kGroup, i / groups * kLanes);
  });
  parallel_for(tiles.count, tiles.most, [&](int64_t begin, int64_t end) {
    bf16* const v = kept_scratch<bf16>(kPositions * tiles.v_stride);
    float* const m = kept_scratch<float>(kPositions * tiles.m_stride);
    winograd_images(a, tiles, begin, end, v);
    for (int64_t to = 0; to < a.to; to += winograd_panel(a.to)) {
      winograd_products(a, tiles, end - begin, to, v, m);
      winograd_results(a, tiles, begin, end, to, m);
    }
  });
}

}  // namespace

bool winograd_bf16_offered() {
  static const bool offered = onednn_offers(dnnl::cpu_isa::avx512_core_bf16);
  return offered;
}

void winograd_bf16_forward(const WinogradBf16& a) { winograd(a, winograd_weights_forward); }
void winograd_bf16_data(const WinogradBf16& a) { winograd(a, winograd_weights_data); }

}  // namespace kith::kernels
