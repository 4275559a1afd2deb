// Anchors against keys: problems for the tests of kernels/ntxent.h on either device, and the oracle's answers with the size
// of the sums they come from.
#pragma once
#include <cmath>
#include <vector>

#include "kernels/ntxent.h"
#include "tests/support/compare.h"

namespace kith::test {

template <class T>
struct Contrast {
  HostMatrix<T> anchors, keys;
  std::vector<int32_t> positive;  // empty: partners
  int64_t self_offset = kernels::kNoSelf;
  T tau = T(0.2);
  std::vector<T> dloss;
  Products products = Products::f32;

  kernels::NtXentForward<T> forward(std::vector<T>& lse, std::vector<T>& loss) const {
    return {.anchors = anchors.view(),
            .keys = keys.view(),
            .positive = positive,
            .self_offset = self_offset,
            .tau = tau,
            .lse = lse,
            .loss = loss,
            .products = products};
  }
  kernels::NtXentBackward<T> backward(const std::vector<T>& lse, Matrix<T> danchors, Matrix<T> dkeys) const {
    return {.anchors = anchors.view(),
            .keys = keys.view(),
            .positive = positive,
            .self_offset = self_offset,
            .lse = lse,
            .dloss = dloss,
            .tau = tau,
            .danchors = danchors,
            .dkeys = dkeys,
            .products = products};
  }
};

inline Contrast<double> widen(const Contrast<float>& c) {
  return {.anchors = widen(c.anchors),
          .keys = widen(c.keys),
          .positive = c.positive,
          .self_offset = c.self_offset,
          .tau = double{c.tau},
          .dloss = widen(c.dloss)};
}

enum class Positives : uint8_t { spread, shared, partners };

struct ContrastShape {
  int64_t anchors, keys, dim, self_offset;
  Positives positives;
};

// Anchors stand among the keys where self_offset says so. `shared`: three keys are the positives of all.
inline Contrast<float> contrast(const ContrastShape& s, float tau) {
  Contrast<float> c{.anchors = unit_rows(s.anchors, s.dim, Seed{21}),
                    .keys = unit_rows(s.keys, s.dim, Seed{22}),
                    .positive = {},
                    .self_offset = s.self_offset,
                    .tau = tau,
                    .dloss = normal(s.anchors, Seed{23})};
  if (s.self_offset != kernels::kNoSelf)
    std::copy(c.anchors.values.begin(), c.anchors.values.end(), c.keys.values.begin() + s.self_offset * s.dim);
  for (int64_t i = 0; s.positives != Positives::partners && i < s.anchors; ++i) {
    int64_t k = s.positives == Positives::shared ? i % std::min<int64_t>(3, s.keys) : (7 * i + 3) % s.keys;
    if (s.self_offset != kernels::kNoSelf && k == s.self_offset + i) k = (k + 1) % s.keys;
    c.positive.push_back(static_cast<int32_t>(k));
  }
  return c;
}

struct Contrasted {
  std::vector<double> lse, loss;
  HostMatrix<double> danchors, dkeys;
  // Of the gradients' sums: every term's magnitude added.
  HostMatrix<double> danchors_size, dkeys_size;
};

inline Contrasted oracle(const Contrast<double>& c) {
  const int64_t m = c.anchors.rows, n = c.keys.rows, dim = c.keys.cols;
  Contrasted r{std::vector<double>(static_cast<size_t>(m)),
               std::vector<double>(static_cast<size_t>(m)),
               {m, dim},
               {n, dim},
               {m, dim},
               {n, dim}};
  kernels::cpu::ntxent_forward(c.forward(r.lse, r.loss));
  const auto backward = c.backward(r.lse, r.danchors.view(), r.dkeys.view());
  kernels::cpu::ntxent_backward(backward);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t k = 0; k < n; ++k) {
      if (c.self_offset != kernels::kNoSelf && k == c.self_offset + i) continue;
      double s = 0;
      for (int64_t d = 0; d < dim; ++d) s += c.anchors.view().row(i)[d] * c.keys.view().row(k)[d];
      const double w =
          std::abs(c.dloss[i]) * (std::exp(s / c.tau - r.lse[i]) + (k == positive_of(backward, i) ? 1 : 0));
      for (int64_t d = 0; d < dim; ++d) {
        r.danchors_size.view().row(i)[d] += w * std::abs(c.keys.view().row(k)[d]) / c.tau;
        r.dkeys_size.view().row(k)[d] += w * std::abs(c.anchors.view().row(i)[d]) / c.tau;
      }
    }
  return r;
}

// |got - want| <= relative size + floor, element by element.
inline testing::AssertionResult within(const std::vector<float>& got, const HostMatrix<double>& want,
                                       const HostMatrix<double>& size, double relative, double floor) {
  if (got.size() != want.values.size()) return testing::AssertionFailure() << "sizes differ";
  std::vector<double> excess(got.size());
  for (size_t e = 0; e < got.size(); ++e)
    excess[e] = (double{got[e]} - want.values[e]) / (relative * size.values[e] + floor);
  return close(excess, std::vector<double>(excess.size(), 0.), {.abs = 1});
}

}  // namespace kith::test
