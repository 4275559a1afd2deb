#include "kernels/scan_loss.h"

#include "kernels/cpu/softmax_rows.h"

namespace kith::kernels::cpu {
namespace {

constexpr double kLogFloor = -100, kProbabilityFloor = 1e-8;

// Softmax of one block of anchors, neighbours, and of their sum: exp(a_c + b_c) / sum = p_c q_c / <p, q>.
template <class T>
struct PairBlock {
  SoftmaxBlock<T> p, q, both;

  PairBlock(int64_t rows, int64_t classes) : p(rows, classes), q(rows, classes), both(rows, classes) {}

  void run(const T* a, const T* b, int64_t rows, int64_t classes) {
    p.run(rows, [=](int64_t i, int64_t c) { return a[i * classes + c]; });
    q.run(rows, [=](int64_t i, int64_t c) { return b[i * classes + c]; });
    both.run(rows, [=](int64_t i, int64_t c) { return a[i * classes + c] + b[i * classes + c]; });
  }

  // log <p_i, q_i>, not clamped. Maxima first: they cancel without loss where softmax is saturated.
  T log_dot(int64_t i) const {
    return ((both.max[i] - p.max[i]) - q.max[i]) + (std::log(both.sum[i]) - std::log(p.sum[i]) - std::log(q.sum[i]));
  }
};

// Blocks of rows never straddle heads: block u is block u % per_head of head u / per_head.
struct Blocks {
  int64_t rows, classes, size, per_head;

  Blocks(int64_t rows, int64_t classes)
      : rows(rows), classes(classes), size(softmax_block_rows(classes)), per_head(ceil_div(rows, size)) {}

  // f(unit, head, first row, rows in the block, pair block)
  template <class T, class F>
  void run(int64_t heads, const T* anchors, const T* neighbours, F&& f) const {
    constexpr int64_t kBlocksPerChunk = 4;
    parallel_for(heads * per_head, kBlocksPerChunk, [&](int64_t begin, int64_t end) {
      PairBlock<T> pair(size, classes);
      for (int64_t u = begin; u < end; ++u) {
        const int64_t head = u / per_head, first = u % per_head * size, count = std::min(size, rows - first);
        const int64_t offset = (head * rows + first) * classes;
        pair.run(anchors + offset, neighbours + offset, count, classes);
        f(u, head, first, count, pair);
      }
    });
  }
};

}  // namespace

template <class T>
void scan_loss_forward(const ScanLossForward<T>& a) {
  const int64_t rows = a.rows, classes = a.classes;
  const Blocks blocks(rows, classes);
  // Per block: classes sums of p, then the sum of log <p, q>; reduced in block order, whatever thread made them.
  std::vector<T> partial(a.heads * blocks.per_head * (classes + 1));
  blocks.run(a.heads, a.anchors, a.neighbours,
             [&](int64_t unit, int64_t, int64_t, int64_t count, const PairBlock<T>& pair) {
               T* sums = partial.data() + unit * (classes + 1);
               for (int64_t i = 0; i < count; ++i) {
                 const T *e = pair.p.e.data() + i * classes, scale = 1 / pair.p.sum[i];
#pragma omp simd
                 for (int64_t c = 0; c < classes; ++c) sums[c] += e[c] * scale;
                 const T log_dot = pair.log_dot(i);
                 sums[classes] += log_dot < T(kLogFloor) ? T(kLogFloor) : log_dot;  // NaN stays
               }
             });
  for (int64_t h = 0; h < a.heads; ++h) {
    double entropy = 0, log_dots = 0;
    for (int64_t c = 0; c <= classes; ++c) {
      double sum = 0;
      for (int64_t u = h * blocks.per_head; u < (h + 1) * blocks.per_head; ++u) sum += partial[u * (classes + 1) + c];
      if (c == classes) {
        log_dots = sum;
        continue;
      }
      const double pbar = sum / static_cast<double>(rows), x = pbar < kProbabilityFloor ? kProbabilityFloor : pbar;
      a.pbar.row(h)[c] = static_cast<T>(pbar);
      entropy -= x * std::log(x);
    }
    const double consistency = -log_dots / static_cast<double>(rows);
    a.consistency[h] = static_cast<T>(consistency);
    a.entropy[h] = static_cast<T>(entropy);
    a.loss[h] = static_cast<T>(consistency - double{a.lambda} * entropy);
  }
}

template <class T>
void scan_loss_backward(const ScanLossBackward<T>& a) {
  const int64_t classes = a.classes;
  const T inv_rows = 1 / static_cast<T>(a.rows);
  // d(-lambda entropy)/dpbar_c; a clamped pbar_c has none.
  std::vector<T> slope(a.heads * classes);
  for (int64_t j = 0; j < a.heads * classes; ++j) {
    const T pbar = a.pbar.data[j];
    slope[j] = pbar < T(kProbabilityFloor) ? T(0) : a.lambda * (std::log(pbar) + 1);
  }
  Blocks(a.rows, classes)
      .run(a.heads, a.anchors, a.neighbours,
           [&](int64_t, int64_t head, int64_t first, int64_t count, const PairBlock<T>& pair) {
             const T* t = slope.data() + head * classes;
             for (int64_t i = 0; i < count; ++i) {
               const T *ep = pair.p.e.data() + i * classes, *eq = pair.q.e.data() + i * classes;
               const T* er = pair.both.e.data() + i * classes;
               const T p_scale = 1 / pair.p.sum[i], q_scale = 1 / pair.q.sum[i], r_scale = 1 / pair.both.sum[i];
               const T pull = pair.log_dot(i) < T(kLogFloor) ? T(0) : T(1);
               const T g = a.dloss[head] * inv_rows;
               const int64_t at = ((head * a.rows) + first + i) * classes;
               if (a.danchors) {
                 T mean_slope = 0;
#pragma omp simd reduction(+ : mean_slope)
                 for (int64_t c = 0; c < classes; ++c) mean_slope += ep[c] * p_scale * t[c];
                 T* d = a.danchors + at;
#pragma omp simd
                 for (int64_t c = 0; c < classes; ++c) {
                   const T p = ep[c] * p_scale, v = pull * (p - er[c] * r_scale) + p * (t[c] - mean_slope);
                   d[c] = landed(a.write_anchors, d[c], g * v);
                 }
               }
               if (a.dneighbours) {
                 T* d = a.dneighbours + at;
#pragma omp simd
                 for (int64_t c = 0; c < classes; ++c) {
                   d[c] = landed(a.write_neighbours, d[c], g * pull * (eq[c] * q_scale - er[c] * r_scale));
                 }
               }
             }
           });
}

template void scan_loss_forward(const ScanLossForward<float>&);
template void scan_loss_forward(const ScanLossForward<double>&);
template void scan_loss_backward(const ScanLossBackward<float>&);
template void scan_loss_backward(const ScanLossBackward<double>&);

}  // namespace kith::kernels::cpu
