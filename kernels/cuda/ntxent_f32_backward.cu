// Backward of the f32 path (see ntxent_f32.cuh): a tile of scores becomes one of weights, which multiplies the same columns.
#include "kernels/cuda/ntxent_f32.cuh"

namespace kith::kernels::cuda {
namespace {

using namespace f32;

// What a row and a column give each other, from their score. Of a row's positive, and of a column whose positive the row is, less
// the upstream gradient.
struct Weigh {
  float2 own;
  int self, positive, partner;  // columns; -1: none
  __device__ __forceinline__ float operator()(float s, int k, float2 column) const {
    if (k == self) return 0.f;
    const float w = own.x * expf(s - own.y) + column.x * expf(s - column.y);
    return w - ((k == positive ? own.x : 0.f) + (k == partner ? column.x : 0.f));
  }
};

__device__ __forceinline__ void finish(const Pass& p, const Gradient& g, int row, int d, float sum) {
  if (d >= p.dim) return;
  const bool wrong = g.row.lse != nullptr && p.positive_column(row) < 0;
  put(g.out + int64_t{row} * p.dim + d, wrong ? NAN : p.inv_tau * sum, g.add);
}
__device__ __forceinline__ void finish(const Pass& p, const Gradient& g, int row, int d, float4 sum) {
  finish(p, g, row, d, sum.x), finish(p, g, row, d + 1, sum.y);
  finish(p, g, row, d + 2, sum.z), finish(p, g, row, d + 3, sum.w);
}

// Adds weights times columns: of a thread's rows, `weights` being the first, and of its elements, `columns` those of the first
// column.
template <int Dim>
__device__ __forceinline__ void add_product(float4 (&sums)[Tile<Dim>::kHigh][Tile<Dim>::kVectors], const float* weights,
                                            const float* columns) {
  using T = Tile<Dim>;
#pragma unroll 1
  for (int c = 0; c < T::kColumns; c += 4) {
    float w[T::kHigh][4];
#pragma unroll
    for (int i = 0; i < T::kHigh; ++i) {
      const float4 four = *reinterpret_cast<const float4*>(weights + kDown * i * T::kWeightLd + c);
      w[i][0] = four.x, w[i][1] = four.y, w[i][2] = four.z, w[i][3] = four.w;
    }
#pragma unroll
    for (int e = 0; e < 4; ++e)
#pragma unroll
      for (int v = 0; v < T::kVectors; ++v) {
        const float4 b = *reinterpret_cast<const float4*>(columns + (c + e) * T::kLd + 4 * kAcross * v);
#pragma unroll
        for (int i = 0; i < T::kHigh; ++i) {
          float4& sum = sums[i][v];
          sum = make_float4(fmaf(w[i][e], b.x, sum.x), fmaf(w[i][e], b.y, sum.y), fmaf(w[i][e], b.z, sum.z),
                            fmaf(w[i][e], b.w, sum.w));
        }
      }
  }
}

// partial [splits][rows][Dim].
template <int Dim>
__global__ void __launch_bounds__(kThreads, 2)
    backward_kernel(Pass p, Whole whole, int tiles, Gradient g, float* partial, unsigned* tickets) {
  using T = Tile<Dim>;
  float *rows = dynamic_shared<float>(), *columns = rows + T::kRows * T::kLd, *weights = columns + T::kColumns * T::kLd;
  auto* upstream = reinterpret_cast<float2*>(weights + T::kRows * T::kWeightLd);  // of the columns
  const Place at;
  const int t = static_cast<int>(threadIdx.x), first = static_cast<int>(blockIdx.x) * T::kRows,
            splits = static_cast<int>(gridDim.y);
  const auto load = [&](int tile) {
    if (tile >= tiles) return;
    const int k = tile * T::kColumns;
    load_rows<Dim, T::kColumns>(columns, p.columns, k, p.column_count, p.dim, whole.columns);
    if (t < T::kColumns && k + t < p.column_count) upstream[t] = upstream_of(g.column, k + t);
    cp_async_commit();
  };
  Weigh weigh[T::kHigh];
#pragma unroll
  for (int i = 0; i < T::kHigh; ++i) {
    const int row = first + at.down + kDown * i;
    const bool live = row < p.row_count;
    weigh[i] = {.own = live ? upstream_of(g.row, row) : make_float2(0.f, 0.f),
                .self = row + p.self,
                .positive = live && g.row.lse != nullptr ? p.positive_column(row) : -1,
                .partner = g.partners ? p.partner_column(row) : -1};
  }
  float4 sums[T::kHigh][T::kVectors] = {};
  load_rows<Dim, T::kRows>(rows, p.rows, first, p.row_count, p.dim, whole.rows);
  load(static_cast<int>(blockIdx.y));
  for (int tile = static_cast<int>(blockIdx.y); tile < tiles; tile += splits) {
    cp_async_wait<0>();
    __syncthreads();  // the columns, and the first time the rows, have arrived for all warps
    float s[T::kHigh][T::kWide];
    multiply<Dim>(s, rows + at.down * T::kLd, columns + at.across * T::kLd);
#pragma unroll
    for (int j = 0; j < T::kWide; ++j) {
      const int c = at.across + kAcross * j, k = tile * T::kColumns + c;
      const bool there = k < p.column_count;
      const float2 column = there ? upstream[c] : make_float2(0.f, 0.f);
#pragma unroll
      for (int i = 0; i < T::kHigh; ++i)
        weights[(at.down + kDown * i) * T::kWeightLd + c] = there ? weigh[i](s[i][j] * p.inv_tau, k, column) : 0.f;
    }
    __syncthreads();  // the weights of all warps are written
    add_product<Dim>(sums, weights + at.down * T::kWeightLd, columns + 4 * at.across);
    __syncthreads();  // all warps have read weights and columns: the next overwrite them
    load(tile + splits);
  }

#pragma unroll
  for (int i = 0; i < T::kHigh; ++i)
#pragma unroll
    for (int v = 0; v < T::kVectors; ++v) {
      const int row = first + at.down + kDown * i, d = 4 * (at.across + kAcross * v);
      if (row >= p.row_count) continue;
      if (splits > 1)
        *reinterpret_cast<float4*>(partial + (int64_t{blockIdx.y} * p.row_count + row) * Dim + d) = sums[i][v];
      else
        finish(p, g, row, d, sums[i][v]);
    }
  if (splits == 1 || !last_block(tickets + blockIdx.x, gridDim.y)) return;
#pragma unroll 2  // loads in flight
  for (int e = t; e < T::kRows * Dim / 4; e += kThreads) {
    const int row = first + e / (Dim / 4), d = e % (Dim / 4) * 4;
    if (row >= p.row_count || d >= p.dim) continue;
    float4 sum = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll 4
    for (int split = 0; split < splits; ++split) {
      const float4 v = *reinterpret_cast<const float4*>(partial + (int64_t{split} * p.row_count + row) * Dim + d);
      sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
    }
    finish(p, g, row, d, sum);
  }
}

}  // namespace

void ntxent_backward_f32(const NtXentBackward<float>& a, Queue q) {
  for_each_pass(a, Products::f32, q, [&](const Pass& p, const Gradient& g) {
    with_dim(p, [&](auto dim) {
      constexpr int kDim = dim.value;
      constexpr size_t kBytes = Tile<kDim>::kBackwardBytes;
      const Division<kDim> by(p, resident_blocks("ntxent_backward", backward_kernel<kDim>, kThreads, kBytes), q);
      const Scratch<float> partial(by.splits > 1 ? int64_t{by.splits} * p.row_count * kDim : 0, q);
      const Tickets tickets(by.tickets(), q);
      launch("ntxent_backward", backward_kernel<kDim>, by.shape(kBytes), q, p, whole_of(p), by.tiles, g, partial.data(),
             tickets.data());
    });
  });
}

}  // namespace kith::kernels::cuda
