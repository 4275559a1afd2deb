#include "kernels/softmax.h"

#include <algorithm>
#include <cmath>

#include "kernels/core/parallel.h"

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kGrain = 1 << 13;  // elements per chunk

// f(row) over chunks of whole rows.
template <class F>
void each_row(int64_t rows, int64_t cols, F&& f) {
  parallel_for(rows, ceil_div(kGrain, cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) f(r);
  });
}

}  // namespace

template <class T>
void softmax_backward(const SoftmaxBackward<T>& a) {
  each_row(a.p.rows, a.p.cols, [&](int64_t r) {
    const auto p = a.p.row(r), dy = a.dy.row(r);
    const auto dx = a.dx.row(r);
    T dot = 0;
    for (size_t c = 0; c < p.size(); ++c) dot += p[c] * dy[c];
    for (size_t c = 0; c < p.size(); ++c) {
      const T d = p[c] * (dy[c] - dot);
      dx[c] = a.write == Write::overwrite ? d : dx[c] + d;
    }
  });
}

template <class T>
void log_softmax_forward(const LogSoftmaxForward<T>& a) {
  each_row(a.x.rows, a.x.cols, [&](int64_t r) {
    const auto x = a.x.row(r);
    const auto y = a.y.row(r);
    const T top = *std::max_element(x.begin(), x.end());
    T total = 0;
    for (const T v : x) total += std::exp(v - top);
    const T log_total = std::log(total);
    for (size_t c = 0; c < x.size(); ++c) y[c] = (x[c] - top) - log_total;  // exact where x is near the maximum
  });
}

template <class T>
void log_softmax_backward(const LogSoftmaxBackward<T>& a) {
  each_row(a.y.rows, a.y.cols, [&](int64_t r) {
    const auto y = a.y.row(r), dy = a.dy.row(r);
    const auto dx = a.dx.row(r);
    T total = 0;
    for (const T v : dy) total += v;
    for (size_t c = 0; c < y.size(); ++c) {
      const T d = dy[c] - std::exp(y[c]) * total;
      dx[c] = a.write == Write::overwrite ? d : dx[c] + d;
    }
  });
}

template void softmax_backward(const SoftmaxBackward<float>&);
template void softmax_backward(const SoftmaxBackward<double>&);
template void log_softmax_forward(const LogSoftmaxForward<float>&);
template void log_softmax_forward(const LogSoftmaxForward<double>&);
template void log_softmax_backward(const LogSoftmaxBackward<float>&);
template void log_softmax_backward(const LogSoftmaxBackward<double>&);

}  // namespace kith::kernels::cpu
