// Forward of NT-Xent for compute capability 9.0 (see ntxent_sm90.cuh), by half of its scores as ntxent_mma_pairs.cu: of a pair of
// groups (I, J), I <= J, rows of I are streamed past columns of J. The columns stand in shared memory, 256 at a time, half of
// them each consumer's; rows come in stages of 64 that both read. A consumer has two tiles of 64 x 128 scores in registers:
// one is multiplied while the other becomes exponentials. Sums of columns stay in registers until all rows of the pair have
// passed; a row's are added over a quad of lanes for each tile.
//
// Blocks are as many as the device's multiprocessors and share out the pieces of work, pairs or, where those are few, parts of
// their rows: the producer copies what is next while consumers end a piece. What a piece adds up depends on the rows alone, and
// each sum is written by one thread; another launch adds the sums of a row in a fixed order and makes its loss.
//
// Of 64 x 256 scores, 1024 clocks of the matrix units and as many of the exponentials', 16 KiB are copied: rows^2 Dim / 256 B in
// all, and of columns 2 rows Dim B a block, or another rows^2 Dim / side B where groups have several tiles of them. Shared memory
// is read 6 KiB for 64 x 128 x 16 products, 48 clocks of 64. Memory: 2 rows Dim B of the copy, and 4 (2 groups + parts groups)
// rows B of sums.
#include <algorithm>

#include "kernels/cuda/core/named_barrier.cuh"
#include "kernels/cuda/ntxent_sm90.cuh"
#include "kernels/cuda/ntxent_sm90_walk.cuh"

namespace kith::kernels::cuda {
namespace {

using namespace sm90;

constexpr int kStages = 4, kTiles = 2;

struct Ring {
  Mbarrier full[kStages], empty[kStages], columns_full[kTiles], columns_empty[kTiles];
};

template <int Dim>
struct Shared {
  static constexpr int kStageBytes = kStageRows * Dim * 2, kTileBytes = kColumns * Dim * 2;
  unsigned char *tiles, *stages;
  float *columns, *rows;  // [kConsumers][2][4][kTile] of warps; [kConsumers][rows of a piece]

  static size_t bytes(const Cut& cut) {
    return kSwizzlePattern + kTiles * kTileBytes + kStages * kStageBytes +
           sizeof(float) * kConsumers * (2 * 4 * kTile + static_cast<size_t>(cut.piece_rows()));
  }
  __device__ __forceinline__ Shared()
      : tiles(swizzled_shared()),
        stages(tiles + kTiles * kTileBytes),
        columns(reinterpret_cast<float*>(stages + kStages * kStageBytes)),
        rows(columns + kConsumers * 2 * 4 * kTile) {}
};

template <int Dim>
__device__ __forceinline__ void produce(const CUtensorMap& rows, const CUtensorMap& columns, const Shared<Dim>& m,
                                        Ring& ring, const Cut& cut) {
  Place stage{.stage = 0, .parity = 1}, tile{.stage = 0, .parity = 1};  // of the round before the first: all are empty
  for (Walk at(cut); at.live(); at.advance(), stage.advance(kStages)) {
    if (at.new_columns()) {
      mbarrier_wait(&ring.columns_empty[tile.stage], tile.parity);
      mbarrier_arrive_expect(&ring.columns_full[tile.stage], Shared<Dim>::kTileBytes);
      copy_rows<Dim, kColumns>(m.tiles + tile.stage * Shared<Dim>::kTileBytes, columns, at.column(),
                               &ring.columns_full[tile.stage]);
      tile.advance(kTiles);
    }
    mbarrier_wait(&ring.empty[stage.stage], stage.parity);
    mbarrier_arrive_expect(&ring.full[stage.stage], Shared<Dim>::kStageBytes);
    copy_rows<Dim, kStageRows>(m.stages + stage.stage * Shared<Dim>::kStageBytes, rows, at.row(),
                               &ring.full[stage.stage]);
  }
}

// One of the two warpgroups that multiply.
template <int Dim>
class Consumer {
 public:
  __device__ __forceinline__ Consumer(const Shared<Dim>& m, Ring& ring, const Cut& cut, Exponent exponent, Sums sums)
      : m_(m),
        ring_(ring),
        cut_(cut),
        exponent_(exponent),
        sums_(sums),
        own_(static_cast<int>(threadIdx.x) / kWarpgroup),
        warp_(static_cast<int>(threadIdx.x) / kWarp % 4),
        lane_(static_cast<int>(threadIdx.x) % kWarp) {}

  __device__ __forceinline__ void run() {
    Walk at(cut_);
    if (!at.live()) return;
    float a[kTile / 2], b[kTile / 2];
    start(at, a);
    complete(a);
    for (;;) {
      if (!step(at, a, b) || !step(at, b, a)) return;
    }
  }

 private:
  // Takes the exponentials of the tile `at`, which has come into `ready`, beside the products of the one behind it.
  __device__ __forceinline__ bool step(Walk& at, float (&ready)[kTile / 2], float (&coming)[kTile / 2]) {
    const Walk now = at;
    at.advance();
    if (!at.live()) {
      add(now, ready);
      return false;
    }
    start(at, coming);
    add(now, ready);
    complete(coming);
    return true;
  }

  __device__ __forceinline__ void start(const Walk& at, float (&s)[kTile / 2]) {
    if (at.new_columns()) {  // the products of those before are complete
      if (lane_ == 0 && started_) mbarrier_arrive(&ring_.columns_empty[tile_.stage]);
      if (started_) tile_.advance(kTiles);
      started_ = true;
      mbarrier_wait(&ring_.columns_full[tile_.stage], tile_.parity);
    }
    mbarrier_wait(&ring_.full[stage_.stage], stage_.parity);
    const uint64_t rows = wgmma_operand(m_.stages + stage_.stage * Shared<Dim>::kStageBytes, Swizzle::bytes128);
    const uint64_t columns =
        wgmma_operand(m_.tiles + tile_.stage * Shared<Dim>::kTileBytes + own_ * kTile * kSlabBytes, Swizzle::bytes128);
    wgmma_pin(s);
    wgmma_fence();
    start_scores<Dim, kStageRows, kColumns>(s, rows, columns);
    wgmma_commit();
  }

  __device__ __forceinline__ void complete(float (&s)[kTile / 2]) {
    wgmma_wait<0>();
    wgmma_pin(s);
    if (lane_ == 0) mbarrier_arrive(&ring_.empty[stage_.stage]);
    stage_.advance(kStages);
  }

  __device__ __forceinline__ void add(const Walk& at, float (&s)[kTile / 2]) {
    const int column = at.column() + own_ * kTile, lane_column = column + 2 * (lane_ % 4);
    const int row = at.row() + 16 * warp_ + lane_ / 4;  // and 8 on
    // Not every score counts. Rows that are none have sums that are not read: their group meets only itself.
    if (column + kTile > cut_.rows || (at.row() + kStageRows > column && at.row() < column + kTile)) {
#pragma unroll
      for (int i = 0; i < kTile / 2; ++i) {
        const int r = row + i / 2 % 2 * 8, k = lane_column + i / 4 * 8 + i % 2;
        if (k >= cut_.rows || k == r) s[i] = -INFINITY;
      }
    }
    float of_rows[2] = {};
#pragma unroll
    for (int j = 0; j < kTile / 8; ++j)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const float upper = exponent_(s[4 * j + c]), lower = exponent_(s[4 * j + 2 + c]);
        of_rows[0] += upper;
        of_rows[1] += lower;
        columns_[j][c] += upper + lower;
      }
    put_rows(at, row, of_rows);
    if (at.last_rows()) put_columns(at);
  }

  // The sums of two rows over this consumer's columns: kept until the last columns of the piece have been added.
  __device__ __forceinline__ void put_rows(const Walk& at, int row, const float (&of_rows)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = of_rows[half];
      sum += __shfl_xor_sync(kAllLanes, sum, 1);
      sum += __shfl_xor_sync(kAllLanes, sum, 2);
      if (lane_ % 4 != 0) continue;
      float& kept = m_.rows[own_ * (cut_.side / cut_.parts) + at.row_in_piece() + 16 * warp_ + lane_ / 4 + 8 * half];
      if (!at.first_columns()) sum += kept;
      const int r = row + 8 * half;
      if (!at.last_columns())
        kept = sum;
      else if (r < cut_.rows)
        sums_.of_rows[(int64_t{own_} * cut_.groups + at.groups().column) * cut_.rows + r] = sum;
    }
  }

  // The sums of columns over the rows of a piece, and zeros for the next. Warps meet: two rounds of them do not share memory,
  // so that who comes to the next but one has been read by all.
  __device__ __forceinline__ void put_columns(const Walk& at) {
    float* sums = m_.columns + (own_ * 2 + joined_) * 4 * kTile;
    const int pair = add_over_rows(columns_, lane_);
#pragma unroll
    for (int j = 0; j < kTile / 64; ++j)
      *reinterpret_cast<float2*>(sums + warp_ * kTile + 8 * (pair + j) + 2 * (lane_ % 4)) =
          make_float2(columns_[j][0], columns_[j][1]);
    barrier_sync(1 + static_cast<unsigned>(own_), kWarpgroup);  // the warps' sums are written
    joined_ ^= 1;
    const int c = static_cast<int>(threadIdx.x) % kWarpgroup, column = at.column() + own_ * kTile + c;
    if (column < cut_.rows)
      sums_.of_columns[int64_t{at.column_part()} * cut_.rows + column] =
          sums[c] + sums[kTile + c] + sums[2 * kTile + c] + sums[3 * kTile + c];
#pragma unroll
    for (int j = 0; j < kTile / 8; ++j) columns_[j][0] = columns_[j][1] = 0.f;
  }

  const Shared<Dim>& m_;
  Ring& ring_;
  const Cut& cut_;
  Exponent exponent_;
  Sums sums_;
  int own_, warp_, lane_;
  Place stage_, tile_;
  bool started_ = false;
  int joined_ = 0;  // which half of the memory for sums of columns is next
  float columns_[kTile / 8][2] = {};
};

template <int Dim>
__global__ void __launch_bounds__(kBlock, 1)
    forward_kernel(const __grid_constant__ CUtensorMap rows, const __grid_constant__ CUtensorMap columns, Cut cut,
                   Exponent exponent, Sums sums) {
  __shared__ Ring ring;
  const Shared<Dim> m;
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kStages; ++stage)
      mbarrier_init(&ring.full[stage], 1), mbarrier_init(&ring.empty[stage], kConsumerWarps);
    for (int tile = 0; tile < kTiles; ++tile)
      mbarrier_init(&ring.columns_full[tile], 1), mbarrier_init(&ring.columns_empty[tile], kConsumerWarps);
    fence_proxy_async();
  }
  __syncthreads();  // the barriers are made
  if (threadIdx.x / kWarpgroup < kConsumers) {
    registers_more<kConsumerRegisters>();
    Consumer<Dim>(m, ring, cut, exponent, sums).run();
  } else {
    registers_fewer<kProducerRegisters>();
    if (threadIdx.x == kConsumers * kWarpgroup) produce<Dim>(rows, columns, m, ring, cut);
  }
}

// A block's 32 rows: a lane has a row, a warp every fourth of its sums.
__global__ void __launch_bounds__(kThreads)
    finish_kernel(Pass p, Cut cut, Sums sums, float* __restrict__ lse, float* __restrict__ loss) {
  __shared__ float parts[kWarps][kWarp], row_lse[kWarp];
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int first = static_cast<int>(blockIdx.x) * kWarp, row = first + lane, group = first / cut.side;
  const int of_columns = group * cut.parts, all = of_columns + kConsumers * (cut.groups - group);
  float sum = 0.f;
  if (row < cut.rows) {
#pragma unroll 8  // loads in flight
    for (int i = warp; i < all; i += kWarps) {
      const int j = i - of_columns;
      sum += j < 0 ? sums.of_columns[int64_t{i} * cut.rows + row]
                   : sums.of_rows[(int64_t{j % kConsumers} * cut.groups + group + j / kConsumers) * cut.rows + row];
    }
  }
  parts[warp][lane] = sum;
  __syncthreads();  // the sums of all warps are written
  if (warp == 0) {
    sum = parts[0][lane];
#pragma unroll
    for (int w = 1; w < kWarps; ++w) sum += parts[w][lane];
    row_lse[lane] = p.inv_tau + logf(sum);
    if (row < cut.rows) lse[row] = row_lse[lane];
  }
  __syncthreads();  // row_lse is written
  put_losses(p, first, kWarp, row_lse, loss);
}

}  // namespace

bool ntxent_forward_sm90(const NtXentForward<float>& a, Queue q, ForwardCut by) {
  const Pass p = rows_are_anchors(a);
  if (!p.square || !serves(p, a.tau, q) || ceil_div(p.row_count, kLargestSide) > by.most_groups) return false;
  const Cut cut(p.row_count, by);
  with_dim(p, [&](auto dim) {
    constexpr int kDim = dim.value;
    const Scratch<__nv_bfloat16> copy(int64_t{p.row_count} * kDim, q);
    const int64_t of_rows = int64_t{kConsumers} * cut.groups * cut.rows;
    const Scratch<float> partial(of_rows + int64_t{cut.groups} * cut.parts * cut.rows, q);
    const Sums sums{partial.data(), partial.data() + of_rows};
    prepare(p.rows, p.row_count, p, {}, kDim, copy.data(), nullptr, q);
    launch("ntxent_forward_sm90", forward_kernel<kDim>,
           {.grid = dim3(static_cast<unsigned>(std::min(cut.pieces, multiprocessors(q)))),
            .block = dim3(kBlock),
            .smem_bytes = Shared<kDim>::bytes(cut)},
           q, rows_map<kDim>(copy.data(), p.row_count, kStageRows), rows_map<kDim>(copy.data(), p.row_count, kColumns),
           cut, exponent_of(p), sums);
    launch("ntxent_finish_sm90", finish_kernel,
           {.grid = dim3(static_cast<unsigned>(ceil_div(p.row_count, kWarp))), .block = dim3(kThreads)}, q, p, cut,
           sums, a.lse.data(), a.loss.data());
  });
  return true;
}

}  // namespace kith::kernels::cuda
