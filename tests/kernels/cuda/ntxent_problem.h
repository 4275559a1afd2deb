// NT-Xent on a device beside the oracle: what tests of its paths share.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/kernels/cuda/ntxent_paths.h"

namespace kith::test {

class NtXentCuda : public CudaKernel {
 protected:
  // The oracle takes z as the products do, rounded to bf16 or not. On the device z starts `shifted` elements behind an aligned
  // address. `groups`: of forward's rows.
  void expect_oracle(const HostMatrix<float>& z, float tau, const std::vector<float>& dloss, Path path,
                     size_t shifted = 0, cuda::ForwardCut groups = {}) {
    const int64_t rows = z.rows, dim = z.cols;
    SCOPED_TRACE(testing::Message() << rows << " x " << dim << ", tau " << tau << ", path " << static_cast<int>(path));
    const HostMatrix<double> wide = widen(as_products(z, path));
    const std::vector<double> wide_dloss = widen(dloss);
    std::vector<double> lse(dloss.size()), loss(dloss.size());
    HostMatrix<double> dz(rows, dim, 1.0);
    cpu::ntxent_forward<double>({.anchors = wide.view(), .keys = wide.view(), .tau = tau, .lse = lse, .loss = loss});
    cpu::ntxent_backward<double>({.anchors = wide.view(),
                                  .keys = wide.view(),
                                  .lse = lse,
                                  .dloss = wide_dloss,
                                  .tau = tau,
                                  .danchors = dz.view(),
                                  .dkeys = dz.view(),
                                  .write_danchors = Write::add});

    std::vector<float> padded(shifted + z.values.size(), NAN);
    std::ranges::copy(z.values, padded.begin() + static_cast<int64_t>(shifted));
    const OnDevice<float> buffer(padded), d_dloss(dloss), d_lse(poison<float>(rows)), d_loss(poison<float>(rows)),
        d_dz(HostMatrix<float>(rows, dim, 1.f));
    const Matrix<float> d_z{buffer.data() + shifted, rows, dim};
    const NtXentForward<float> forward{
        .anchors = d_z, .keys = d_z, .tau = tau, .lse = d_lse.span(), .loss = d_loss.span()};
    const NtXentBackward<float> backward{.anchors = d_z,
                                         .keys = d_z,
                                         .lse = d_lse.span(),
                                         .dloss = d_dloss.span(),
                                         .tau = tau,
                                         .danchors = d_dz.matrix(),
                                         .dkeys = d_dz.matrix(),
                                         .write_danchors = Write::add};
    run_path(forward, path, queue, groups);
    run_path(backward, path, queue);
    const double e = forward_error(rows, dim, tau);
    EXPECT_TRUE(close(d_lse.host(), lse, {.abs = e}));
    EXPECT_TRUE(close(d_loss.host(), loss, {.abs = 2 * e}));
    // dz is a sum of weights times z: relative error e of each weight, plus 2^-8 where weights are rounded to bf16, plus
    // the rounding of the accumulation.
    const double w = 2 * e + (path != Path::f32 ? 0x1p-8 : 0);
    std::vector<float> excess(dz.values.size());
    const std::vector<float> got = d_dz.host();
    for (int64_t i = 0; i < rows; ++i) {
      std::vector<double> magnitude(static_cast<size_t>(dim));
      for (int64_t k = 0; k < rows; ++k) {
        if (k == i) continue;
        double s = 0;
        for (int64_t c = 0; c < dim; ++c) s += wide.view().row(i)[c] * wide.view().row(k)[c];
        const double weight = std::abs(wide_dloss[i]) * std::exp(s / tau - lse[i]) +
                              std::abs(wide_dloss[k]) * std::exp(s / tau - lse[k]) +
                              (k == (i ^ 1) ? std::abs(wide_dloss[i]) + std::abs(wide_dloss[k]) : 0);
        for (int64_t d = 0; d < dim; ++d) magnitude[d] += weight * std::abs(wide.view().row(k)[d]);
      }
      for (int64_t d = 0; d < dim; ++d) {
        const double limit = w * magnitude[d] / tau + 2 * kUnit;
        excess[i * dim + d] = static_cast<float>((got[i * dim + d] - dz.view().row(i)[d]) / limit);
      }
    }
    EXPECT_TRUE(close(excess, std::vector<float>(excess.size(), 0.f), {.abs = 1})) << "dz, in units of its bound";
  }

  // s: dim roundings of a sum of unit magnitude, sqrt(dim) u in the mean, over tau; the exponential of an argument up to 2 / tau
  // carries its rounding; a sum of rows terms sqrt(rows) u. Factor 4 in hand.
  static double forward_error(int64_t rows, int64_t dim, float tau) {
    return 4 * kUnit * ((std::sqrt(static_cast<double>(dim)) + 2) / tau + std::sqrt(static_cast<double>(rows)) + 4);
  }
  // By bf16 products.
  static void expect_forward(const HostMatrix<float>& z, float tau, const std::vector<float>& got_lse,
                             const std::vector<float>& got_loss) {
    const HostMatrix<double> wide = widen(as_products(z, Path::bf16));
    std::vector<double> lse(static_cast<size_t>(z.rows)), loss(lse.size());
    cpu::ntxent_forward<double>({.anchors = wide.view(), .keys = wide.view(), .tau = tau, .lse = lse, .loss = loss});
    const double e = forward_error(z.rows, z.cols, tau);
    EXPECT_TRUE(close(got_lse, lse, {.abs = e}));
    EXPECT_TRUE(close(got_loss, loss, {.abs = 2 * e}));
  }

  // Both passes with bf16 products, by the path that the entries choose for `q`.
  struct Passes {
    OnDevice<float> z, dloss, lse, loss, dz;
    Passes(const HostMatrix<float>& rows, Queue q)
        : z(rows),
          dloss(normal(rows.rows, Seed{3})),
          lse(poison<float>(rows.rows)),
          loss(poison<float>(rows.rows)),
          dz(HostMatrix<float>(rows.rows, rows.cols)) {
      ntxent_forward({.anchors = z.matrix(),
                      .keys = z.matrix(),
                      .tau = 0.2f,
                      .lse = lse.span(),
                      .loss = loss.span(),
                      .products = Products::bf16},
                     q);
      ntxent_backward({.anchors = z.matrix(),
                       .keys = z.matrix(),
                       .lse = lse.span(),
                       .dloss = dloss.span(),
                       .tau = 0.2f,
                       .danchors = dz.matrix(),
                       .dkeys = dz.matrix(),
                       .products = Products::bf16},
                      q);
    }
  };

  static HostMatrix<float> draw(int64_t rows, int64_t dim) { return unit_rows(rows, dim, Seed{7}); }
};

}  // namespace kith::test
