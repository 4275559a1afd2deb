// A pass of the contrastive loss: every row meets every column. Of forward and of danchors the anchors are the rows and the keys
// the columns; of dkeys it is the other way round; of NT-Xent, where all rows are both, one pass of backward gives all.
#pragma once
#include <cuda_bf16.h>

#include <climits>

#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/ntxent.cuh"

namespace kith::kernels::cuda {

struct Pass {
  const float *rows, *columns;  // [row_count, dim], [column_count, dim]
  int row_count, column_count, dim;
  int self;  // row i is column i + self itself, which leaves its sums; INT_MIN: no column is
  float inv_tau;
  const int32_t* positive;  // of the anchors, null: (anchor + offset) ^ 1
  int offset;
  bool square;

  // The column that is the positive of anchor `row`; -1: what was given is no key, or the anchor itself.
  __device__ __forceinline__ int positive_column(int row) const {
    if (positive == nullptr) return (row + offset) ^ 1;
    const int k = positive[row];
    return k >= 0 && k < column_count && k != row + self ? k : -1;
  }
  // The column whose positive key `row` is, as the other view of one image; -1: no column's.
  __device__ __forceinline__ int partner_column(int row) const {
    const int k = (row ^ 1) - offset;
    return k >= 0 && k < column_count ? k : -1;
  }
};

// Of a side: null where its rows are no anchors in this pass.
struct Upstream {
  const float *lse, *dloss;
};

struct Gradient {
  Upstream row, column;
  bool partners;  // columns are anchors whose positives are partners
  float* out;     // [row_count, dim]
  bool add;
};

// A row's element as products take it.
template <Products P>
__device__ __forceinline__ float as_product(float x) {
  return P == Products::bf16 ? __bfloat162float(__float2bfloat16(x)) : x;
}

// dL/dloss and lse of one anchor. Of none: what makes every weight g exp(s - lse) zero.
__device__ __forceinline__ float2 upstream_of(const Upstream& side, int k) {
  return side.lse == nullptr ? make_float2(0.f, INFINITY) : make_float2(side.dloss[k], side.lse[k]);
}

template <class Arguments>
Pass rows_are_anchors(const Arguments& a) {
  return {.rows = a.anchors.data,
          .columns = a.keys.data,
          .row_count = static_cast<int>(a.anchors.rows),
          .column_count = static_cast<int>(a.keys.rows),
          .dim = static_cast<int>(a.keys.cols),
          .self = a.self_offset == kNoSelf ? INT_MIN : static_cast<int>(a.self_offset),
          .inv_tau = 1.f / a.tau,
          .positive = a.positive.data(),
          .offset = static_cast<int>(a.self_offset),
          .square = is_square(a)};
}

inline Pass rows_are_keys(const NtXentBackward<float>& a) {
  Pass p = rows_are_anchors(a);
  std::swap(p.rows, p.columns);
  std::swap(p.row_count, p.column_count);
  if (p.self != INT_MIN) p.self = -p.self;
  p.square = false;
  return p;
}

// Adds to dkeys what anchors with given positives owe those: -g_i a_i / tau, in the order of the anchors, whose rows are rounded
// where products are bf16.
void ntxent_add_positives(const NtXentBackward<float>&, Products, Queue);

// f(pass, gradient) for what `a` wants by a path of such products.
template <class F>
void for_each_pass(const NtXentBackward<float>& a, Products products, Queue q, F f) {
  const Upstream anchors{a.lse.data(), a.dloss.data()};
  const bool one_array = a.danchors.data == a.dkeys.data, add = a.write_danchors == Write::add;
  const Pass p = rows_are_anchors(a);
  if (one_array && p.square) return f(p, Gradient{anchors, anchors, true, a.danchors.data, add});
  if (a.danchors.data != nullptr) f(p, Gradient{anchors, {}, false, a.danchors.data, add});
  if (a.dkeys.data == nullptr) return;
  f(rows_are_keys(a),
    Gradient{{}, anchors, a.positive.empty(), a.dkeys.data, one_array || a.write_dkeys == Write::add});
  if (!a.positive.empty()) ntxent_add_positives(a, products, q);
}

}  // namespace kith::kernels::cuda
