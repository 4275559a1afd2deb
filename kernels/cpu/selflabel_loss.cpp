#include "kernels/selflabel_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "kernels/cpu/softmax_rows.h"

namespace kith::kernels::cpu {
namespace {

// f(block, first, rows, x) for blocks of rows, with their softmax and their logits x [rows, cols].
template <class T, class F>
void for_softmax_blocks(Matrix<const T> logits, F&& f) {
  constexpr int64_t kBlocksPerChunk = 4;
  const int64_t classes = logits.cols, grain = softmax_block_rows(classes);
  parallel_for(logits.rows, kBlocksPerChunk * grain, [&](int64_t begin, int64_t end) {
    SoftmaxBlock<T> block(grain, classes);
    for (int64_t first = begin; first < end; first += grain) {
      const int64_t rows = std::min(grain, end - first);
      const T* x = logits.data + first * classes;
      block.run(rows, [=](int64_t i, int64_t c) { return x[i * classes + c]; });
      f(block, first, rows, x);
    }
  });
}

template <class T>
void take_labels(const SelflabelLossForward<T>& a) {
  const auto images = static_cast<int64_t>(a.labels.size());
  for (size_t i = 0; i < a.index.size(); ++i) {
    const int64_t image = a.index[i];
    if (image < 0 || image >= images)
      throw Error(fmt::format("selflabel_loss: row {} is image {} of {}", i, image, images));
    a.target[i] = a.labels[static_cast<size_t>(image)];
    if (a.target[i] < -1 || a.target[i] >= a.strong.cols)
      throw Error(
          fmt::format("selflabel_loss: image {} has label {} of {} classes", image, a.target[i], a.strong.cols));
  }
}

constexpr int32_t kNone = -1, kWrong = -2;  // targets of rows that are not kept, and of those whose softmax is NaN

// The classes of the largest logits where they are confident.
template <class T>
void pick_targets(const SelflabelLossForward<T>& a) {
  const int64_t classes = a.weak.cols;
  for_softmax_blocks(a.weak, [&](const SoftmaxBlock<T>& weak, int64_t first, int64_t rows, const T* w) {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t target = std::max_element(w + i * classes, w + (i + 1) * classes) - (w + i * classes);
      const T confidence = 1 / weak.sum[i];  // the largest exponential is exp(0)
      a.target[first + i] = std::isnan(confidence)     ? kWrong
                            : confidence > a.threshold ? static_cast<int32_t>(target)
                                                       : kNone;
    }
  });
}

// CE(strong_i, target_i) into weight_i for the rows that are kept.
template <class T>
void cross_entropies(const SelflabelLossForward<T>& a) {
  const int64_t classes = a.strong.cols;
  for_softmax_blocks(a.strong, [&](const SoftmaxBlock<T>& strong, int64_t first, int64_t rows, const T* s) {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t target = a.target[first + i];
      a.weight[first + i] = target == kNone    ? T(0)
                            : target == kWrong ? std::numeric_limits<T>::quiet_NaN()
                                               : (strong.max[i] - s[i * classes + target]) + std::log(strong.sum[i]);
    }
  });
}

}  // namespace

template <class T>
void selflabel_loss_forward(const SelflabelLossForward<T>& a) {
  a.weak.data == nullptr ? take_labels(a) : pick_targets(a);
  cross_entropies(a);
  std::vector<int64_t> count(a.strong.cols);
  int64_t kept = 0;
  for (const int32_t target : a.target) {
    if (target >= 0) ++count[target], ++kept;
  }
  const auto present = static_cast<double>(std::count_if(count.begin(), count.end(), [](int64_t n) { return n > 0; }));
  const auto shared_by = [&](int32_t target) {
    if (a.mean == SelflabelMean::balanced) return static_cast<double>(count[target]) * present;
    return static_cast<double>(a.mean == SelflabelMean::kept ? kept : a.strong.rows);
  };
  double loss = 0;
  for (size_t i = 0; i < a.target.size(); ++i) {
    if (a.target[i] < 0) {
      loss += a.weight[i];  // 0, or NaN
      continue;
    }
    const double weight = 1 / shared_by(a.target[i]);
    loss += weight * a.weight[i];
    a.weight[i] = static_cast<T>(weight);
  }
  a.loss[0] = static_cast<T>(loss);
  a.kept[0] = static_cast<int32_t>(kept);
  for (size_t c = 0; c < a.seen.size(); ++c) a.seen[c] += static_cast<int32_t>(count[c]);
}

template <class T>
void selflabel_loss_backward(const SelflabelLossBackward<T>& a) {
  const int64_t classes = a.strong.cols;
  for_softmax_blocks(a.strong, [&](const SoftmaxBlock<T>& strong, int64_t first, int64_t rows, const T*) {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t target = a.target[first + i];
      T* d = a.dstrong.data + (first + i) * classes;
      if (target == kNone) {  // exactly zero, even where a logit is not finite
        if (a.write == Write::overwrite) std::fill(d, d + classes, T(0));
        continue;
      }
      if (target == kWrong) {
        std::fill(d, d + classes, std::numeric_limits<T>::quiet_NaN());
        continue;
      }
      const T *e = strong.e.data() + i * classes, scale = 1 / strong.sum[i], g = a.dloss[0] * a.weight[first + i];
#pragma omp simd
      for (int64_t c = 0; c < classes; ++c) {
        d[c] = landed(a.write, d[c], g * (e[c] * scale - (c == target ? T(1) : T(0))));
      }
    }
  });
}

template void selflabel_loss_forward(const SelflabelLossForward<float>&);
template void selflabel_loss_forward(const SelflabelLossForward<double>&);
template void selflabel_loss_backward(const SelflabelLossBackward<float>&);
template void selflabel_loss_backward(const SelflabelLossBackward<double>&);

}  // namespace kith::kernels::cpu
