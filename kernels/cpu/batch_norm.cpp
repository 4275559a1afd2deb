// Forward: statistics in one pass over x, then the normalisation with residual and ReLU in another.
#include "kernels/batch_norm.h"

#include <cmath>
#include <vector>

#include "kernels/cpu/batch_norm_layout.h"

namespace kith::kernels::cpu {
namespace {

// s1 += x - shift, s2 += (x - shift)^2 over n contiguous elements that start at channel 0.
template <class A>
void add_shifted_sums(const A* __restrict x, int64_t n, int64_t width, const float* __restrict shift,
                      float* __restrict s1, float* __restrict s2) {
  for (; n >= 4 * width; n -= 4 * width, x += 4 * width)
    for (int64_t c = 0; c < width; ++c) {
      const float d0 = widen(x[c]) - shift[c], d1 = widen(x[c + width]) - shift[c];
      const float d2 = widen(x[c + 2 * width]) - shift[c], d3 = widen(x[c + 3 * width]) - shift[c];
      s1[c] += (d0 + d1) + (d2 + d3);
      s2[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
    }
  for (; n > 0; n -= width, x += width)
    for (int64_t c = 0, end = std::min(n, width); c < end; ++c) {
      const float d = widen(x[c]) - shift[c];
      s1[c] += d;
      s2[c] += d * d;
    }
}

struct Statistics {
  std::vector<double> mean, squares;  // [channels]; squares = sum (x - mean)^2
};

template <class A>
Statistics statistics(Matrix<const A> x, const BatchNormLayout& l) {
  const int64_t channels = l.channels;
  std::vector<double> partial(static_cast<size_t>(l.chunks() * 2 * channels));  // per chunk: means, squares
  parallel_for(l.rows, l.grain, [&](int64_t begin, int64_t end) {
    const A* first = x.data + begin * channels;
    const AlignedVector<float> shift = l.repeat([&](int64_t c) { return widen(first[c]); });
    AlignedVector<float> s1(static_cast<size_t>(l.width)), s2(s1);
    add_shifted_sums(first, (end - begin) * channels, l.width, shift.data(), s1.data(), s2.data());
    double* out = partial.data() + begin / l.grain * 2 * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const double sum = l.unfold(s1, c), n = static_cast<double>(end - begin);
      out[c] = static_cast<double>(shift[c]) + sum / n;
      const double squares = l.unfold(s2, c) - sum * sum / n;
      out[channels + c] = squares < 0 ? 0 : squares;  // NaN stays
    }
  });
  Statistics s{std::vector<double>(static_cast<size_t>(channels)), std::vector<double>(static_cast<size_t>(channels))};
  const auto width = static_cast<size_t>(channels);
  for (int64_t chunk = 0, seen = 0; chunk < l.chunks(); ++chunk) {
    const std::span<const double> part(partial.data() + chunk * 2 * channels, 2 * width);
    const int64_t here = std::min(l.grain, l.rows - seen);
    batch_norm_merge(seen, s.mean, s.squares, here, part.first(width), part.last(width));
    seen += here;
  }
  return s;
}

template <bool kResidual, bool kRelu, class A>
void apply_forward(const BatchNormForward<float, A>& a, const BatchNormLayout& l, const AlignedVector<float>& means,
                   const AlignedVector<float>& scales) {
  const AlignedVector<float> betas = l.repeat([&](int64_t c) { return a.beta[c]; });
  parallel_for_reversed(l, [&](int64_t begin, int64_t end) {
    const float *mean = means.data(), *scale = scales.data(), *beta = betas.data();
    const int64_t stop = end * l.channels;
    for (int64_t i = begin * l.channels; i < stop; i += l.width) {
      const A *x = a.x.data + i, *residual = kResidual ? a.residual + i : nullptr;
      A* y = a.y.data + i;
      const int64_t n = std::min(l.width, stop - i);
#pragma GCC ivdep  // y is residual or apart from it
      for (int64_t c = 0; c < n; ++c) {
        float u = normalized(widen(x[c]), mean[c], scale[c], beta[c]);
        if constexpr (kResidual) u += widen(residual[c]);
        y[c] = rounded_to<A>(kRelu && u < 0.f ? 0.f : u);  // NaN stays NaN
      }
    }
  });
}

}  // namespace

template <class T, class A>
void batch_norm_forward(const BatchNormForward<T, A>& a) {
  if (a.x.size() == 0 && a.whole == nullptr) return;
  const BatchNormLayout l(a.x.rows, a.x.cols);
  AlignedVector<float> mean(a.running_mean.begin(), a.running_mean.end()), invstd(static_cast<size_t>(l.channels));
  if (a.train && !a.again) {
    Statistics s = statistics(a.x, l);
    const int64_t whole = a.whole != nullptr ? a.whole->moments(l.rows, s.mean, s.squares) : l.rows;
    const double rows = static_cast<double>(whole), momentum = a.momentum;
    for (int64_t c = 0; c < l.channels; ++c) {
      a.mean[c] = static_cast<float>(s.mean[c]);
      a.invstd[c] = static_cast<float>(1 / std::sqrt(s.squares[c] / rows + static_cast<double>(a.eps)));
      const auto update = [&](std::span<float> running, double value) {
        write_channel(running, c, running.empty() ? 0 : (1 - momentum) * running[c] + momentum * value,
                      Write::overwrite);
      };
      update(a.running_mean, s.mean[c]);
      update(a.running_var, s.squares[c] / (rows - 1));
    }
  }
  if (a.train) {
    mean.assign(a.mean.begin(), a.mean.end());
    invstd.assign(a.invstd.begin(), a.invstd.end());
  } else {
    for (int64_t c = 0; c < l.channels; ++c)
      invstd[c] = static_cast<float>(1 / std::sqrt(static_cast<double>(a.running_var[c]) + static_cast<double>(a.eps)));
  }
  const AlignedVector<float> means = l.repeat([&](int64_t c) { return mean[c]; });
  const AlignedVector<float> scales = l.repeat([&](int64_t c) { return a.gamma[c] * invstd[c]; });
  if (a.residual) {
    a.relu ? apply_forward<true, true>(a, l, means, scales) : apply_forward<true, false>(a, l, means, scales);
  } else {
    a.relu ? apply_forward<false, true>(a, l, means, scales) : apply_forward<false, false>(a, l, means, scales);
  }
  if (!a.mask.empty()) write_mask<A>(a.y, a.mask);
}

template void batch_norm_forward(const BatchNormForward<float>&);
template void batch_norm_forward(const BatchNormForward<float, bf16>&);

}  // namespace kith::kernels::cpu
