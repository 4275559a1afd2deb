#include "kernels/softmax_xent.h"

#include "kernels/cpu/softmax_rows.h"

namespace kith::kernels::cpu {
namespace {

// f(first row, rows, block) for blocks of rows, each with its softmax ready.
template <class T, class F>
void for_softmax_blocks(Matrix<const T> logits, F&& f) {
  const int64_t classes = logits.cols, grain = softmax_block_rows(classes);
  constexpr int64_t kBlocksPerChunk = 8;
  parallel_for(logits.rows, kBlocksPerChunk * grain, [&](int64_t begin, int64_t end) {
    SoftmaxBlock<T> block(grain, classes);
    for (int64_t first = begin; first < end; first += grain) {
      const int64_t rows = std::min(grain, end - first);
      const T* x = logits.data + first * classes;
      block.run(rows, [&](int64_t i, int64_t c) { return x[i * classes + c]; });
      f(first, rows, block);
    }
  });
}

}  // namespace

template <class T>
void softmax_xent_forward(const SoftmaxXentForward<T>& a) {
  for_softmax_blocks<T>(a.logits, [&](int64_t first, int64_t rows, const SoftmaxBlock<T>& block) {
    for (int64_t i = 0; i < rows; ++i) {
      // (max - x_label) first: exact when they are equal, and the logarithm of a sum >= 1 then loses nothing.
      const T picked = a.logits.row(first + i)[a.labels[first + i]];
      a.loss[first + i] = (block.max[i] - picked) + std::log(block.sum[i]);
    }
  });
}

template <class T>
void softmax_xent_backward(const SoftmaxXentBackward<T>& a) {
  const int64_t classes = a.logits.cols;
  for_softmax_blocks<T>(a.logits, [&](int64_t first, int64_t rows, const SoftmaxBlock<T>& block) {
    for (int64_t i = 0; i < rows; ++i) {
      const T *e = block.e.data() + i * classes, g = a.dloss[first + i], scale = 1 / block.sum[i];
      const int64_t label = a.labels[first + i];
      T* d = a.dlogits.data + (first + i) * classes;
#pragma omp simd
      for (int64_t c = 0; c < classes; ++c) {
        d[c] = landed(a.write, d[c], g * (e[c] * scale - (c == label ? T(1) : T(0))));
      }
    }
  });
}

template <class T>
void softmax_rows(const SoftmaxRows<T>& a) {
  const int64_t classes = a.logits.cols;
  for_softmax_blocks<T>(a.logits, [&](int64_t first, int64_t rows, const SoftmaxBlock<T>& block) {
    for (int64_t i = 0; i < rows; ++i) {
      const T *e = block.e.data() + i * classes, scale = 1 / block.sum[i];
      T* p = a.probabilities.data + (first + i) * classes;
#pragma omp simd
      for (int64_t c = 0; c < classes; ++c) p[c] = e[c] * scale;
    }
  });
}

template void softmax_xent_forward(const SoftmaxXentForward<float>&);
template void softmax_xent_forward(const SoftmaxXentForward<double>&);
template void softmax_xent_backward(const SoftmaxXentBackward<float>&);
template void softmax_xent_backward(const SoftmaxXentBackward<double>&);
template void softmax_rows(const SoftmaxRows<float>&);
template void softmax_rows(const SoftmaxRows<double>&);

}  // namespace kith::kernels::cpu
