#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/wgmma.cuh"
#include "tests/simt/hopper.h"

namespace kith::simt_test {
namespace {

using namespace kernels::cuda;
const Queue kQueue{Device::cuda};
constexpr int kSide = 64;  // of all tiles

__host__ __device__ constexpr int span(Swizzle s) {
  return s == Swizzle::none ? 16 : 16 << static_cast<int>(s);
}  // bytes of a tile's row

__global__ void copy_box_kernel(const __grid_constant__ CUtensorMap map, int row, int column, int bytes,
                                uint16_t* out) {
  __shared__ Mbarrier full;
  unsigned char* tile = dynamic_shared<unsigned char>();
  if (threadIdx.x == 0) {
    mbarrier_init(&full, 1);
    fence_proxy_async();
    mbarrier_arrive_expect(&full, static_cast<unsigned>(8 * bytes));
    tensor_copy(tile, map, row, column, &full);
  }
  __syncthreads();
  mbarrier_wait(&full, 0);
  for (int i = static_cast<int>(threadIdx.x); i < 8 * bytes / 2; i += 32) {
    const int at = 2 * i, rows128 = at / 128, pieces = bytes / 16;  // of a tile that begins on 1,024 bytes
    out[i] = *reinterpret_cast<const uint16_t*>(tile + (at ^ (rows128 & (pieces - 1)) << 4));
  }
}

template <Swizzle S, Element E>
__global__ void product_kernel(const __grid_constant__ CUtensorMap map_a, const __grid_constant__ CUtensorMap map_b,
                               const uint16_t* a, float* d, int registers, int across, Wrong wrong) {
  constexpr int kBytes = span(S), kColumns = kBytes / 2, kPieces = kSide / kColumns, kPiece = kSide * kBytes;
  __shared__ Mbarrier full;
  unsigned char *tile_a = dynamic_shared<unsigned char>(), *tile_b = tile_a + kPieces * kPiece;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, row = thread / 32 * 16 + lane / 4;
  if (thread == 0) {
    mbarrier_init(&full, 1);
    if (wrong != Wrong::no_fence_of_barrier) fence_proxy_async();
    unsigned bytes = 2 * kPieces * kPiece;
    if (wrong == Wrong::expects_too_much) bytes += 16;
    if (wrong == Wrong::expects_too_little) bytes -= kPiece;
    mbarrier_arrive_expect(&full, bytes);
    if (wrong == Wrong::written_before_copy) tile_b[0] = 0;
    for (int p = 0; p < kPieces; ++p) {
      tensor_copy(tile_a + p * kPiece, map_a, 0, p * kColumns, &full);
      tensor_copy(tile_b + p * kPiece, map_b, 0, p * kColumns, &full);
    }
  }
  if (wrong == Wrong::ends_before_copies) return;
  __syncthreads();
  if (wrong != Wrong::unwaited_copy) mbarrier_wait(&full, wrong == Wrong::other_parity ? 1 : 0);
  if (wrong == Wrong::unfenced_store) {
    tile_a[thread] = 0;
    __syncthreads();
  }
  if (wrong == Wrong::one_warp_less && thread < 32) return;
  if (wrong == Wrong::last_warp_less && thread >= 96) return;
  float c[kSide / 2];
  uint32_t fragment[4] = {};
  if (wrong != Wrong::no_wgmma_fence) wgmma_fence();
  if (wrong == Wrong::touched_accumulators) c[3] = 1.f;
  for (int k = 0; k < kSide; k += 16) {
    uint64_t operand_a, operand_b;
    if constexpr (S == Swizzle::none) {  // boxes of 8 columns
      operand_a = wgmma_operand(tile_a + k / 8 * kPiece, kPiece, 128);
      operand_b = wgmma_operand(tile_b + k / 8 * kPiece, kPiece, 128);
    } else {
      const Swizzle named = wrong == Wrong::layout_of_descriptor ? Swizzle::bytes64 : S;
      const int piece = k / kColumns * kPiece, shift = wrong == Wrong::start_of_descriptor ? kBytes : 0;
      operand_a = wgmma_along(wgmma_operand(tile_a + piece + shift, named), k % kColumns);
      operand_b = wgmma_along(wgmma_operand(tile_b + piece, named), k % kColumns);
      if (wrong == Wrong::thread_of_its_own && thread == 77) operand_b = operand_a;
    }
    if (registers != 0) {
      wgmma_wait<0>();  // the last product still reads the fragment
      for (int r = 0; r < 4; ++r)
        fragment[r] =
            *reinterpret_cast<const uint32_t*>(a + (row + 8 * (r % 2)) * kSide + k + 8 * (r / 2) + 2 * (lane % 4));
      wgmma_fence();
      if constexpr (S == Swizzle::bytes128 && E == Element::bf16) {
        if (across != 0) {
          const int shift = wrong == Wrong::start_of_descriptor ? kBytes : 0;
          wgmma_across<kSide>(c, fragment, wgmma_along(wgmma_operand_across(tile_b + shift, kPiece), k * kColumns),
                              k > 0);
        }
      }
      if (across == 0) wgmma<E, kSide>(c, fragment, operand_b, k > 0);
      if (wrong == Wrong::operand_overwritten) fragment[0] = 0;
    } else {
      wgmma<E, kSide>(c, operand_a, operand_b, k > 0);
    }
    wgmma_commit();
  }
  if (wrong == Wrong::never_waited) return;
  if (wrong != Wrong::read_before_wait) wgmma_wait<0>();
  wgmma_pin(c);
  for (int i = 0; i < kSide / 2; ++i) d[(row + 8 * (i / 2 % 2)) * kSide + i / 4 * 8 + 2 * (lane % 4) + i % 2] = c[i];
}

template <Swizzle S, Element E>
void launch_product(const ProductOf& p) {
  const auto type = E == Element::bf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  const Box box{.rows = kSide, .columns = span(S) / 2};
  launch("product_of_warpgroup", product_kernel<S, E>,
         {.grid = dim3(1), .block = dim3(128), .smem_bytes = 2 * kSide * kSide * 2}, kQueue,
         tensor_map(type, p.a, kSide, kSide, box, S), tensor_map(type, p.b, kSide, kSide, box, S), p.a, p.d,
         p.registers ? 1 : 0, p.across ? 1 : 0, p.wrong);
}

template <Swizzle S>
void launch_product(const ProductOf& p) {
  p.fp16 ? launch_product<S, Element::f16>(p) : launch_product<S, Element::bf16>(p);
}

}  // namespace

void copy_box(const uint16_t* in, int rows, int columns, int row, int column, Layout layout, uint16_t* out) {
  const auto swizzle = static_cast<Swizzle>(layout);
  const int bytes = span(swizzle);
  const CUtensorMap map = tensor_map(CU_TENSOR_MAP_DATA_TYPE_UINT16, in, rows, columns,
                                     {.rows = 8, .columns = static_cast<unsigned>(bytes / 2)}, swizzle);
  launch("copy_box", copy_box_kernel,
         {.grid = dim3(1), .block = dim3(32), .smem_bytes = static_cast<size_t>(8 * bytes)}, kQueue, map, row, column,
         bytes, out);
}

void product_of_warpgroup(const ProductOf& p) {
  switch (p.layout) {
    case Layout::none:
      return launch_product<Swizzle::none>(p);
    case Layout::bytes32:
      return launch_product<Swizzle::bytes32>(p);
    case Layout::bytes64:
      return launch_product<Swizzle::bytes64>(p);
    case Layout::bytes128:
      return launch_product<Swizzle::bytes128>(p);
  }
}

}  // namespace kith::simt_test
