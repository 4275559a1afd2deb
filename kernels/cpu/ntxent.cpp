// Tiles of scores, anchors x keys, stay in the second-level cache; nothing of size M x N exists. Of one array (NT-Xent)
// S = z z^T is symmetric: each tile S_IJ is made once, by one product, and serves the rows of block I and of block J, by one
// exponential for each pair where the scores permit it (ntxent_square.h), by two here. Else
// blocks of anchors meet all keys in order, for dkeys blocks of keys all anchors.
#include "kernels/ntxent.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "kernels/cpu/block_pairs.h"
#include "kernels/cpu/ntxent_square.h"
#include "kernels/cpu/ntxent_tiles.h"
#include "kernels/cpu/vec_math.h"

namespace kith::kernels::cpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Without symmetry: the side that is shared out among threads, and the one that is walked.
constexpr int64_t kShared = 64, kWalked = 256;

struct Operands {
  ProductRows anchors, keys;
  template <class Arguments>
  explicit Operands(const Arguments& a) : anchors(a.anchors, a.products), keys(a.keys, a.products) {}
};

// s[i, k] = <a_i, b_k> / tau for i in I, k in J; -inf where k is the anchor itself, which leaves every sum.
template <class Arguments>
void similarity(const Arguments& a, const Operands& x, Block rows, Block cols, float* s) {
  product_tile(x.anchors, rows, x.keys, cols, 1 / a.tau, s);
  if (a.self_offset == kNoSelf) return;
  const int64_t ahead = a.self_offset + rows.first - cols.first;  // the column of row 0 itself
  const int64_t last = std::min(rows.count, cols.count - ahead);
  for (int64_t i = std::max<int64_t>(0, -ahead); i < last; ++i) s[i * cols.count + ahead + i] = -kInf;
}

// Running log-sum-exp of every anchor: (max, sum of exp(s - max)), and the score of its positive.
struct RunningSums {
  std::vector<float> max, sum, positive;
  explicit RunningSums(int64_t rows) : max(rows, -kInf), sum(rows, 0.f), positive(rows) {}

  void raise(int64_t first, int64_t count, const float* tile_max) {
    for (int64_t i = 0; i < count; ++i) {
      const float old = max[first + i];
      if (!(tile_max[i] > old)) continue;
      sum[first + i] *= exp_of(old - tile_max[i]);
      max[first + i] = tile_max[i];
    }
  }
};

// Whose sums a tile is part of: those of its rows, or of rows and columns alike.
enum class Sides : uint8_t { rows, both };

void add_tile(RunningSums& run, Block rows, Block cols, const float* s, Sides sides) {
  const int64_t n = cols.count;
  std::vector<float> row_max(rows.count), col_max(n, -kInf), col_sum(n, 0.f);
  float *cm = col_max.data(), *cs = col_sum.data();
  for (int64_t i = 0; i < rows.count; ++i) {
    float m = -kInf;
#pragma omp simd reduction(max : m)
    for (int64_t k = 0; k < n; ++k) {
      m = std::max(m, s[i * n + k]);
      cm[k] = std::max(cm[k], s[i * n + k]);
    }
    row_max[i] = m;
  }
  run.raise(rows.first, rows.count, row_max.data());
  if (sides == Sides::both) run.raise(cols.first, n, cm);
  const float* peak = run.max.data() + (sides == Sides::both ? cols.first : 0);
  for (int64_t i = 0; i < rows.count; ++i) {
    const float own = run.max[rows.first + i];
    float sum = 0;
    if (sides == Sides::rows) {
#pragma omp simd reduction(+ : sum)
      for (int64_t k = 0; k < n; ++k) sum += exp_of(s[i * n + k] - own);
    } else {
#pragma omp simd reduction(+ : sum)
      for (int64_t k = 0; k < n; ++k) {
        sum += exp_of(s[i * n + k] - own);
        cs[k] += exp_of(s[i * n + k] - peak[k]);
      }
    }
    run.sum[rows.first + i] += sum;
  }
  if (sides == Sides::rows) return;
  for (int64_t k = 0; k < n; ++k) run.sum[cols.first + k] += cs[k];
}

// f(block) over blocks of `size`, in order.
template <class F>
void for_blocks(int64_t rows, int64_t size, F&& f) {
  for (int64_t first = 0; first < rows; first += size) f(Block{first, std::min(size, rows - first)});
}
template <class F>
void share_blocks(int64_t rows, int64_t size, F&& f) {
  parallel_for(rows, size, [&](int64_t first, int64_t end) { f(Block{first, end - first}); });
}

// s[i, k] becomes g_i P_ik.
void weigh(const NtXentBackward<float>& a, Block rows, Block cols, float* s) {
  for (int64_t i = 0; i < rows.count; ++i) {
    const float lse = a.lse[rows.first + i], g = a.dloss[rows.first + i];
    float* w = s + i * cols.count;
#pragma omp simd
    for (int64_t k = 0; k < cols.count; ++k) w[k] = g * exp_of(w[k] - lse);
  }
}

// s[i, k] becomes g_i P_ik + g_k P_ki.
void weigh_both(const NtXentBackward<float>& a, Block rows, Block cols, float* s) {
  const int64_t n = cols.count;
  const float *lse = a.lse.data() + cols.first, *g = a.dloss.data() + cols.first;
  for (int64_t i = 0; i < rows.count; ++i) {
    const float own_lse = a.lse[rows.first + i], own_g = a.dloss[rows.first + i];
    float* w = s + i * n;
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) w[k] = own_g * exp_of(w[k] - own_lse) + g[k] * exp_of(w[k] - lse[k]);
  }
}

void backward_square(const NtXentBackward<float>& a, const Operands& x) {
  for_block_pairs(a.anchors.rows, square_block(a.anchors.rows), [&](Block i, Block j) {
    const auto s = tile(i, j);
    similarity(a, x, i, j, s.get());
    weigh_both(a, i, j, s.get());
    add_square_tile(a, x.keys, i, j, 1 / a.tau, s.get());
  });
}

void backward_anchors(const NtXentBackward<float>& a, const Operands& x) {
  share_blocks(a.anchors.rows, kShared, [&](Block i) {
    for_blocks(a.keys.rows, kWalked, [&](Block k) {
      const auto s = tile(i, k);
      similarity(a, x, i, k, s.get());
      weigh(a, i, k, s.get());
      Weights(s.get(), i, k, 1 / a.tau, a.products)
          .add_product(Op::none, x.keys, a.danchors, k.first == 0 ? a.write_danchors : Write::add);
      for_positives(a, i, k, [&](int64_t r, int64_t c) {
        x.keys.subtract(a.dloss[i.first + r] / a.tau, k.first + c, a.danchors.row(i.first + r));
      });
    });
  });
}

void backward_keys(const NtXentBackward<float>& a, const Operands& x, Write write) {
  share_blocks(a.keys.rows, kShared, [&](Block k) {
    for_blocks(a.anchors.rows, kWalked, [&](Block i) {
      const auto s = tile(i, k);
      similarity(a, x, i, k, s.get());
      weigh(a, i, k, s.get());
      Weights(s.get(), i, k, 1 / a.tau, a.products)
          .add_product(Op::transpose, x.anchors, a.dkeys, i.first == 0 ? write : Write::add);
      for_positives(a, i, k, [&](int64_t r, int64_t c) {
        x.anchors.subtract(a.dloss[i.first + r] / a.tau, i.first + r, a.dkeys.row(k.first + c));
      });
    });
  });
}

}  // namespace

template <>
void ntxent_forward(const NtXentForward<float>& a) {
  const int64_t rows = a.anchors.rows;
  const Operands x(a);
  if (const auto shift = is_square(a) ? common_shift(x.keys, a.tau) : std::nullopt)
    return square_forward(a, x.keys, *shift);
  RunningSums run(rows);
  const auto visit = [&](Block i, Block k, Sides sides) {
    const auto s = tile(i, k);
    similarity(a, x, i, k, s.get());
    for_positives(a, i, k, [&](int64_t r, int64_t c) { run.positive[i.first + r] = s[r * k.count + c]; });
    add_tile(run, i, k, s.get(), sides);
  };
  if (is_square(a))
    for_block_pairs(rows, square_block(rows),
                    [&](Block i, Block j) { visit(i, j, i.first == j.first ? Sides::rows : Sides::both); });
  else
    share_blocks(rows, kShared,
                 [&](Block i) { for_blocks(a.keys.rows, kWalked, [&](Block k) { visit(i, k, Sides::rows); }); });
  for (int64_t i = 0; i < rows; ++i) {
    const float log_sum = std::log(run.sum[i]);
    a.lse[i] = run.max[i] + log_sum;
    a.loss[i] = (run.max[i] - run.positive[i]) + log_sum;  // a difference of close numbers first: exact
  }
}

template <>
void ntxent_backward(const NtXentBackward<float>& a) {
  const bool one_array = a.danchors.data == a.dkeys.data;
  const Operands x(a);
  if (one_array && is_square(a)) {
    if (const auto shift = common_shift(x.keys, a.tau)) return square_backward(a, x.keys, *shift);
    return backward_square(a, x);
  }
  if (a.danchors.data != nullptr) backward_anchors(a, x);
  if (a.dkeys.data != nullptr) backward_keys(a, x, one_array ? Write::add : a.write_dkeys);
}

}  // namespace kith::kernels::cpu
