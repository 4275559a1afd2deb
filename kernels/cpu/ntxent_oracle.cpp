// The oracle: plain loops over anchors and keys, s one row at a time.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/vec_math.h"
#include "kernels/ntxent.h"

namespace kith::kernels::cpu {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// s_ik for all k; -inf where k is the anchor itself, which leaves every sum.
template <class Arguments>
std::vector<double> similarity_row(const Arguments& a, int64_t i) {
  std::vector<double> s(static_cast<size_t>(a.keys.rows));
  for (int64_t k = 0; k < a.keys.rows; ++k) {
    for (int64_t d = 0; d < a.keys.cols; ++d) s[k] += a.anchors.row(i)[d] * a.keys.row(k)[d];
    s[k] /= a.tau;
  }
  if (a.self_offset != kNoSelf) s[a.self_offset + i] = -kInf;
  return s;
}

}  // namespace

template <>
void ntxent_forward(const NtXentForward<double>& a) {
  for (int64_t i = 0; i < a.anchors.rows; ++i) {
    const std::vector<double> s = similarity_row(a, i);
    const double max = std::ranges::max(s);
    double sum = 0;
    for (const double x : s) sum += std::exp(x - max);
    a.lse[i] = max + std::log(sum);
    a.loss[i] = (max - s[positive_of(a, i)]) + std::log(sum);
  }
}

template <>
void ntxent_backward(const NtXentBackward<double>& a) {
  const int64_t dim = a.keys.cols;
  std::vector<double> danchors(static_cast<size_t>(a.anchors.size())), dkeys(static_cast<size_t>(a.keys.size()));
  for (int64_t i = 0; i < a.anchors.rows; ++i) {
    const std::vector<double> s = similarity_row(a, i);
    for (int64_t k = 0; k < a.keys.rows; ++k) {
      const double w = a.dloss[i] * (std::exp(s[k] - a.lse[i]) - (k == positive_of(a, i) ? 1 : 0)) / a.tau;
      for (int64_t d = 0; d < dim; ++d) {
        danchors[i * dim + d] += w * a.keys.row(k)[d];
        dkeys[k * dim + d] += w * a.anchors.row(i)[d];
      }
    }
  }
  for (int64_t e = 0; a.danchors.data != nullptr && e < a.anchors.size(); ++e)
    a.danchors.data[e] = landed(a.write_danchors, a.danchors.data[e], danchors[e]);
  const Write write = a.dkeys.data == a.danchors.data ? Write::add : a.write_dkeys;
  for (int64_t e = 0; a.dkeys.data != nullptr && e < a.keys.size(); ++e)
    a.dkeys.data[e] = landed(write, a.dkeys.data[e], dkeys[e]);
}

}  // namespace kith::kernels::cpu
