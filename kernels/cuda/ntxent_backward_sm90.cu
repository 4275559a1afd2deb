// Backward of the bf16 path for compute capability 9.0 (see ntxent_sm90.cuh), a product behind a product as
// ntxent_mma_backward.cu: scores of 64 rows and 128 columns become weights e^s (u_i + u_k), in bf16 the A operand in registers
// of their product with the same columns, read across from the same tile of shared memory. Every consumer has 64 rows of its own
// and starts the next scores before it waits for the last gradients, whose product runs beside its exponentials.
//
// W of NT-Xent is symmetric: half of the scores would be three products in place of four. But the third, of the columns' side,
// would be added to memory for every tile, in an order of chance or with a partial sum for each.
//
// Traffic L2 -> SM: 2 rows columns Dim / 128 B, 32 KiB for 2048 clocks of the matrix units at Dim 128; of those shared memory
// is read in 48 of 64 for scores and in 32 of 64 for gradients. Memory: the bf16 copies, 4 B of u a row, and 4 splits rows Dim B
// where columns are split among blocks.
#include <cmath>

#include "kernels/cuda/core/splits.h"
#include "kernels/cuda/ntxent_sm90.cuh"

namespace kith::kernels::cuda {
namespace {

using namespace sm90;

constexpr int kRows = 64 * kConsumers;  // of a block
constexpr int kStages = 4;

struct Ring {
  Mbarrier rows, full[kStages], empty[kStages];
};

template <int Dim>
struct Shared {
  static constexpr int kRowBytes = kRows * Dim * 2, kTileBytes = kTile * Dim * 2, kUBytes = kTile * sizeof(float);
  static constexpr size_t kBytes = kSwizzlePattern + kRowBytes + kStages * (kTileBytes + kUBytes);
  unsigned char *rows, *tiles;
  float* u;
  __device__ __forceinline__ Shared()
      : rows(swizzled_shared()), tiles(rows + kRowBytes), u(reinterpret_cast<float*>(tiles + kStages * kTileBytes)) {}
};

// u [padded to kTile] as a matrix of 16-bit elements, a tile's in a row.
CUtensorMap u_map(const float* u, int count) {
  return tensor_map(CU_TENSOR_MAP_DATA_TYPE_UINT16, u, ceil_div(count, kTile), 2 * kTile,
                    {.rows = 1, .columns = 2 * kTile}, Swizzle::none);
}

template <int Dim>
__device__ __forceinline__ void produce(const CUtensorMap& rows, const CUtensorMap& columns, const CUtensorMap& u,
                                        const Shared<Dim>& m, Ring& ring, int tiles) {
  mbarrier_arrive_expect(&ring.rows, Shared<Dim>::kRowBytes);
  copy_rows<Dim, kRows>(m.rows, rows, static_cast<int>(blockIdx.x) * kRows, &ring.rows);
  Place at{.stage = 0, .parity = 1};  // of the round before the first, in which all stages are empty
  for (int tile = static_cast<int>(blockIdx.y); tile < tiles;
       tile += static_cast<int>(gridDim.y), at.advance(kStages)) {
    mbarrier_wait(&ring.empty[at.stage], at.parity);
    mbarrier_arrive_expect(&ring.full[at.stage], Shared<Dim>::kTileBytes + Shared<Dim>::kUBytes);
    copy_rows<Dim, kTile>(m.tiles + at.stage * Shared<Dim>::kTileBytes, columns, tile * kTile, &ring.full[at.stage]);
    tensor_copy(m.u + at.stage * kTile, u, tile, 0, &ring.full[at.stage]);
  }
}

// Scores become weights. Columns of padding have zeros in the next product.
__device__ __forceinline__ void weigh(float (&s)[kTile / 2], const Pass& p, Exponent exponent, const float (&own)[2],
                                      const float* u, int row, int column) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, self = row + p.self;  // of this lane's first row
#pragma unroll
  for (int j = 0; j < kTile / 8; ++j) {
    const float2 of_columns = *reinterpret_cast<const float2*>(u + 8 * j + 2 * (lane % 4));
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      s[4 * j + 2 * half] = exponent(s[4 * j + 2 * half]) * (own[half] + of_columns.x);
      s[4 * j + 2 * half + 1] = exponent(s[4 * j + 2 * half + 1]) * (own[half] + of_columns.y);
    }
  }
  if (self - lane / 4 + 16 > column && self - lane / 4 < column + kTile) {  // one of the warp's rows meets itself
#pragma unroll
    for (int i = 0; i < kTile / 2; ++i)
      if (column + 2 * (lane % 4) + i / 4 * 8 + i % 2 == self + i / 2 % 2 * 8) s[i] = 0.f;
  }
}

// Weights as A operands of 16 columns each: the accumulators of two neighbouring 8 columns have their layout.
__device__ __forceinline__ void pack_weights(uint32_t (&w)[kTile / 16][4], const float (&s)[kTile / 2]) {
#pragma unroll
  for (int k = 0; k < kTile / 16; ++k)
#pragma unroll
    for (int r = 0; r < 4; ++r) w[k][r] = pack(s[8 * k + 2 * r], s[8 * k + 2 * r + 1]);
}

template <int Dim>
__device__ __forceinline__ void start_gradients(float (&sums)[Dim / 2], const uint32_t (&w)[kTile / 16][4],
                                                const unsigned char* tile) {
  const uint64_t columns = wgmma_operand_across(tile, kTile * kSlabBytes);
#pragma unroll
  for (int k = 0; k < kTile / 16; ++k) wgmma_across<Dim>(sums, w[k], wgmma_along(columns, 16 * k * kSlab), true);
}

template <int Dim>
__device__ __forceinline__ void put_sums(const float (&sums)[Dim / 2], const Pass& p, const Gradient& g, float* partial,
                                         int first) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int i = 0; i < Dim / 2; i += 2) {
    const int row = first + i / 2 % 2 * 8, d = i / 4 * 8 + 2 * (lane % 4);
    if (row >= p.row_count) continue;
    if (gridDim.y > 1) {
      *reinterpret_cast<float2*>(partial + (int64_t{blockIdx.y} * p.row_count + row) * Dim + d) =
          make_float2(sums[i], sums[i + 1]);
    } else {
      if (d < p.dim) finish(p, g, row, d, sums[i]);
      if (d + 1 < p.dim) finish(p, g, row, d + 1, sums[i + 1]);
    }
  }
}

template <int Dim>
__device__ __forceinline__ void consume(const Pass& p, const Gradient& g, Exponent exponent, const float* row_u,
                                        const Shared<Dim>& m, Ring& ring, int tiles, float* partial) {
  using S = Shared<Dim>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int row = static_cast<int>(blockIdx.x) * kRows + 16 * warp + lane / 4;  // and 8 on
  const float own[2] = {row_u[row], row_u[row + 8]};  // padded to kTile, as rows of blocks are
  const uint64_t rows = wgmma_operand(m.rows + warp / 4 * 64 * kSlabBytes, Swizzle::bytes128);
  float s[kTile / 2], sums[Dim / 2] = {};
  uint32_t w[kTile / 16][4];
  const auto start = [&](int stage) {
    start_scores<Dim, kRows, kTile>(s, rows, wgmma_operand(m.tiles + stage * S::kTileBytes, Swizzle::bytes128));
    wgmma_commit();
  };
  Place at;
  mbarrier_wait(&ring.rows, 0);
  mbarrier_wait(&ring.full[at.stage], at.parity);
  wgmma_pin(s);
  wgmma_fence();
  start(at.stage);
  wgmma_wait<0>();
  wgmma_pin(s);
  int tile = static_cast<int>(blockIdx.y), before = at.stage;
  weigh(s, p, exponent, own, m.u + at.stage * kTile, row, tile * kTile);
  pack_weights(w, s);
  for (tile += static_cast<int>(gridDim.y); tile < tiles; tile += static_cast<int>(gridDim.y)) {
    at.advance(kStages);
    mbarrier_wait(&ring.full[at.stage], at.parity);
    wgmma_pin(s);
    wgmma_pin(sums);
    wgmma_fence();
    start(at.stage);
    start_gradients<Dim>(sums, w, m.tiles + before * S::kTileBytes);
    wgmma_commit();
    wgmma_wait<1>();  // the scores
    wgmma_pin(s);
    weigh(s, p, exponent, own, m.u + at.stage * kTile, row, tile * kTile);
    wgmma_wait<0>();  // the gradients, and with them the weights
    wgmma_pin(sums);
    __syncwarp();  // all lanes have read the u of the tile before
    if (lane == 0) mbarrier_arrive(&ring.empty[before]);
    pack_weights(w, s);
    before = at.stage;
  }
  wgmma_pin(sums);
  wgmma_fence();
  start_gradients<Dim>(sums, w, m.tiles + before * S::kTileBytes);
  wgmma_commit();
  wgmma_wait<0>();
  wgmma_pin(sums);
  put_sums<Dim>(sums, p, g, partial, row);
}

// partial [splits][rows][Dim].
template <int Dim>
__global__ void __launch_bounds__(kBlock, 1)
    backward_kernel(const __grid_constant__ CUtensorMap rows, const __grid_constant__ CUtensorMap columns,
                    const __grid_constant__ CUtensorMap u, Pass p, Gradient g, Exponent exponent, const float* row_u,
                    int tiles, float* partial) {
  __shared__ Ring ring;
  const Shared<Dim> m;
  if (threadIdx.x == 0) {
    mbarrier_init(&ring.rows, 1);
    for (int stage = 0; stage < kStages; ++stage)
      mbarrier_init(&ring.full[stage], 1), mbarrier_init(&ring.empty[stage], kConsumerWarps);
    fence_proxy_async();
  }
  __syncthreads();  // the barriers are made
  if (threadIdx.x / kWarpgroup < kConsumers) {
    registers_more<kConsumerRegisters>();
    consume<Dim>(p, g, exponent, row_u, m, ring, tiles, partial);
  } else {
    registers_fewer<kProducerRegisters>();
    if (threadIdx.x == kConsumers * kWarpgroup) produce<Dim>(rows, columns, u, m, ring, tiles);
  }
}

template <int Dim>
void run(const Pass& p, const Gradient& g, Queue q) {
  const bool alike = p.rows == p.columns && p.row_count == p.column_count && g.row.lse == g.column.lse;
  const auto padded = [](int count) { return ceil_div(count, kTile) * kTile; };
  const Scratch<__nv_bfloat16> column_copy(int64_t{p.column_count} * Dim, q),
      own_copy(alike ? 0 : int64_t{p.row_count} * Dim, q);
  const Scratch<float> column_u(padded(p.column_count), q), own_u(alike ? 0 : padded(p.row_count), q);
  prepare(p.columns, p.column_count, p, g.column, Dim, column_copy.data(), column_u.data(), q);
  if (!alike) prepare(p.rows, p.row_count, p, g.row, Dim, own_copy.data(), own_u.data(), q);
  const int tiles = static_cast<int>(ceil_div(p.column_count, kTile));
  const int64_t blocks = ceil_div(p.row_count, kRows);
  const int splits = fullest_splits(blocks, multiprocessors(q), std::lround(std::sqrt(tiles)));
  const Scratch<float> partial(splits > 1 ? int64_t{splits} * p.row_count * Dim : 0, q);
  launch("ntxent_backward_sm90", backward_kernel<Dim>,
         {.grid = dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(splits)),
          .block = dim3(kBlock),
          .smem_bytes = Shared<Dim>::kBytes},
         q, rows_map<Dim>(alike ? column_copy.data() : own_copy.data(), p.row_count, kRows),
         rows_map<Dim>(column_copy.data(), p.column_count, kTile), u_map(column_u.data(), p.column_count), p, g,
         exponent_of(p), alike ? column_u.data() : own_u.data(), tiles, partial.data());
  if (splits > 1) ntxent_add_splits(p, g, partial.data(), splits, Dim, q);
}

}  // namespace

bool ntxent_backward_sm90(const NtXentBackward<float>& a, Queue q) {
  if (!sm90::serves(rows_are_anchors(a), a.tau, q)) return false;
  for_each_pass(a, Products::bf16, q,
                [&](const Pass& p, const Gradient& g) { with_dim(p, [&](auto dim) { run<dim.value>(p, g, q); }); });
  return true;
}

}  // namespace kith::kernels::cuda
