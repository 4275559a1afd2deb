// Convolution by plain loops in f64. x NHWC, w [out, k, k, in].
#pragma once
#include <span>
#include <vector>

#include "nn/device/conv_shape.h"

namespace kith::test {

struct ConvReference {
  std::vector<double> y, dx, dw;
};

inline ConvReference conv_reference(const ConvShape& s, std::span<const float> x, std::span<const float> w,
                                    std::span<const float> dy) {
  const int64_t oh = s.out_height(), ow = s.out_width();
  ConvReference r{
      .y = std::vector<double>(dy.size()), .dx = std::vector<double>(x.size()), .dw = std::vector<double>(w.size())};
  for (int64_t n = 0; n < s.images; ++n)
    for (int64_t i = 0; i < oh; ++i)
      for (int64_t j = 0; j < ow; ++j)
        for (int64_t ki = 0; ki < s.kernel; ++ki)
          for (int64_t kj = 0; kj < s.kernel; ++kj) {
            const int64_t hi = i * s.stride + ki - s.padding, wi = j * s.stride + kj - s.padding;
            if (hi < 0 || wi < 0 || hi >= s.height || wi >= s.width) continue;
            for (int64_t o = 0; o < s.out; ++o) {
              const int64_t at = ((n * oh + i) * ow + j) * s.out + o;
              for (int64_t c = 0; c < s.in; ++c) {
                const int64_t xi = ((n * s.height + hi) * s.width + wi) * s.in + c;
                const int64_t wat = ((o * s.kernel + ki) * s.kernel + kj) * s.in + c;
                r.y[at] += double{x[xi]} * w[wat];
                r.dx[xi] += double{dy[at]} * w[wat];
                r.dw[wat] += double{dy[at]} * x[xi];
              }
            }
          }
  return r;
}

// The terms of one sum of the pass.
inline int64_t conv_terms(const ConvShape& s, Pass pass) {
  if (pass == Pass::forward) return s.kernel * s.kernel * s.in;
  if (pass == Pass::backward_data) return s.kernel * s.kernel * s.out;
  return s.images * s.out_height() * s.out_width();
}

}  // namespace kith::test
