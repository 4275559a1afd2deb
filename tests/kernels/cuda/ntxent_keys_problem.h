// Anchors against keys on a device beside the oracle: what tests of the paths of kernels/ntxent.h share.
#pragma once
#include "tests/kernels/contrast.h"
#include "tests/kernels/cuda/ntxent_paths.h"

namespace kith::test {

class NtXentKeysCuda : public CudaKernel {
 protected:
  // A problem on the device, with room for its answers; gradients start at `start`.
  struct Device {
    OnDevice<float> anchors, keys, dloss, lse, loss, danchors, dkeys;
    OnDevice<int32_t> positive;
    int64_t self_offset;
    float tau;

    Device(const Contrast<float>& c, float start)
        : anchors(c.anchors),
          keys(c.keys),
          dloss(c.dloss),
          lse(poison<float>(c.anchors.rows)),
          loss(poison<float>(c.anchors.rows)),
          danchors(HostMatrix<float>(c.anchors.rows, c.anchors.cols, start)),
          dkeys(HostMatrix<float>(c.keys.rows, c.keys.cols, start)),
          positive(c.positive),
          self_offset(c.self_offset),
          tau(c.tau) {}
    std::span<const int32_t> positives() const {
      return positive.span().empty() ? std::span<const int32_t>() : positive.span();
    }
    NtXentForward<float> forward() const {
      return {.anchors = anchors.matrix(),
              .keys = keys.matrix(),
              .positive = positives(),
              .self_offset = self_offset,
              .tau = tau,
              .lse = lse.span(),
              .loss = loss.span()};
    }
    NtXentBackward<float> backward(Matrix<float> da, Matrix<float> dk, Write write) const {
      return {.anchors = anchors.matrix(),
              .keys = keys.matrix(),
              .positive = positives(),
              .self_offset = self_offset,
              .lse = lse.span(),
              .dloss = dloss.span(),
              .tau = tau,
              .danchors = da,
              .dkeys = dk,
              .write_danchors = write,
              .write_dkeys = write};
    }
  };

  // On sm_90 its own kernels take forward of one array only.
  void run(const NtXentForward<float>& f, Path path) {
    run_path(f, path == Path::sm90 && !is_square(f) ? Path::prepared : path, queue);
  }
  void run(const NtXentBackward<float>& b, Path path) { run_path(b, path, queue); }

  // For the oracle: rows as the products of the path take them.
  static Contrast<double> taken(Contrast<float> c, Path path) {
    c.anchors = as_products(c.anchors, path), c.keys = as_products(c.keys, path);
    return widen(c);
  }

  void expect_oracle(const ContrastShape& shape, float tau, Path path) { expect_oracle(contrast(shape, tau), path); }

  void expect_oracle(const Contrast<float>& c, Path path) {
    const int64_t anchors = c.anchors.rows, keys = c.keys.rows, dim = c.keys.cols;
    SCOPED_TRACE(testing::Message() << anchors << " x " << keys << ", dim " << dim << ", self " << c.self_offset
                                    << ", tau " << c.tau << ", path " << static_cast<int>(path));
    const Contrasted want = oracle(taken(c, path));
    const Device d(c, 1.f);
    run(d.forward(), path);
    // As in ntxent.cpp: s has error sqrt(dim) u / tau, an exponential that of its argument, up to 2 / tau, a sum of n terms
    // sqrt(n) u; factor 4 in hand. Weights are rounded to bf16 on that path.
    const double n = std::sqrt(static_cast<double>(std::max(anchors, keys)));
    const double e = 4 * kUnit * ((std::sqrt(static_cast<double>(dim)) + 2) / c.tau + n + 4);
    EXPECT_TRUE(close(d.lse.host(), want.lse, {.abs = e}));
    EXPECT_TRUE(close(d.loss.host(), want.loss, {.abs = 2 * e}));
    const double relative = 2 * e + 4 * kUnit * n + (path == Path::f32 ? 0 : 0x1p-8);
    // Both gradients onto ones, whose rounding joins; where an anchor's positive is given, twice.
    run(d.backward(d.danchors.matrix(), d.dkeys.matrix(), Write::add), path);
    const auto after_one = [](HostMatrix<double> m) {
      for (double& v : m.values) v += 1;
      return m;
    };
    EXPECT_TRUE(within(d.danchors.host(), after_one(want.danchors), want.danchors_size, relative, 2 * kUnit));
    EXPECT_TRUE(within(d.dkeys.host(), after_one(want.dkeys), want.dkeys_size, relative, 4 * kUnit));
  }

  // Anchors and keys are one array. So are their gradients, in one pass or, where positives are given, in two; or they are not.
  void expect_square_case(Path path) {
    SCOPED_TRACE(testing::Message() << "path " << static_cast<int>(path));
    Contrast<float> c = contrast({66, 66, 20, 0, Positives::partners}, 0.2f);
    const Device square(c, 0.f), apart(c, 0.f);
    for (int32_t i = 0; i < 66; ++i) c.positive.push_back(i ^ 1);
    const Device given(c, 0.f);
    const auto passes = [&](const Device& d, Matrix<float> dkeys) {
      NtXentForward<float> f = d.forward();
      NtXentBackward<float> b = d.backward(d.danchors.matrix(), dkeys, Write::overwrite);
      f.keys = f.anchors, b.keys = b.anchors;
      run(f, path), run(b, path);
    };
    passes(square, square.danchors.matrix()), passes(given, given.danchors.matrix());
    passes(apart, apart.dkeys.matrix());
    const Contrasted want = oracle(taken(c, path));
    HostMatrix<double> dz = want.danchors, size = want.danchors_size;
    for (size_t e = 0; e < dz.values.size(); ++e)
      dz.values[e] += want.dkeys.values[e], size.values[e] += want.dkeys_size.values[e];
    const double e = 4 * kUnit * ((std::sqrt(20.) + 2) / 0.2 + std::sqrt(66.) + 4),
                 relative = 2 * e + 4 * kUnit * std::sqrt(66.) + (path == Path::f32 ? 0 : 0x1p-8);
    for (const Device* d : {&square, &given}) {
      EXPECT_TRUE(close(d->loss.host(), want.loss, {.abs = 2 * e}));
      EXPECT_TRUE(within(d->danchors.host(), dz, size, relative, 2 * kUnit));
    }
    EXPECT_TRUE(within(apart.danchors.host(), want.danchors, want.danchors_size, relative, 2 * kUnit));
    EXPECT_TRUE(within(apart.dkeys.host(), want.dkeys, want.dkeys_size, relative, 2 * kUnit));
  }

  // With an lse far above every score all P are 0: what is left of the gradients are the shares of the positives, which no
  // weight of a product blurs.
  void expect_shares(Path path) {
    SCOPED_TRACE(testing::Message() << "path " << static_cast<int>(path));
    constexpr ContrastShape kShared{66, 130, 20, kNoSelf, Positives::shared},
        kPartners{66, 130, 20, 8, Positives::partners}, kSquare{66, 66, 20, 0, Positives::partners};
    for (const ContrastShape& shape : {kShared, kPartners, kSquare}) {
      const bool square = shape.keys == shape.anchors;
      const Contrast<float> c = contrast(shape, 0.2f);
      const Contrast<double> wide = taken(c, path);
      HostMatrix<double> danchors(shape.anchors, shape.dim), dkeys(shape.keys, shape.dim);
      cpu::ntxent_backward(wide.backward(std::vector<double>(wide.dloss.size(), 1000.), danchors.view(),
                                         square ? danchors.view() : dkeys.view()));
      const Device d(c, 0.f);
      const OnDevice<float> lse(std::vector<float>(c.dloss.size(), 1000.f));
      NtXentBackward<float> b =
          d.backward(d.danchors.matrix(), square ? d.danchors.matrix() : d.dkeys.matrix(), Write::overwrite);
      b.lse = lse.span();
      if (square) b.keys = b.anchors;
      run(b, path);
      // At most 22 anchors share a positive: a product and a sum each, 1 / tau and the product with it.
      double largest = 0;
      for (const float g : c.dloss) largest = std::max(largest, std::abs(double{g}));
      const Tolerance tol{.abs = (2 * 22 + 2) * kUnit * 22 * largest / 0.2};
      EXPECT_TRUE(close(d.danchors.host(), danchors.values, tol));
      EXPECT_TRUE(close(d.dkeys.host(), dkeys.values, tol));
    }
  }
};

}  // namespace kith::test
