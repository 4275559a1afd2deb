// Anchors against keys on a device beside the oracle: what tests of the paths of kernels/ntxent.h share.
#pragma once
#include "kernels/core/bf16.h"
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

  // Rows hold bf16 numbers where products are bf16: both sides then multiply the same operands.
  static Contrast<float> draw(const ContrastShape& shape, float tau, Path path) {
    Contrast<float> c = contrast(shape, tau);
    for (HostMatrix<float>* m : {&c.anchors, &c.keys})
      for (float& v : m->values) v = path == Path::f32 ? v : widen(narrow(v));
    return c;
  }

  void expect_oracle(const ContrastShape& shape, float tau, Path path) {
    SCOPED_TRACE(testing::Message() << shape.anchors << " x " << shape.keys << ", dim " << shape.dim << ", self "
                                    << shape.self_offset << ", tau " << tau << ", path " << static_cast<int>(path));
    const Contrast<float> c = draw(shape, tau, path);
    const Contrasted want = oracle(widen(c));
    const Device d(c, 1.f);
    run(d.forward(), path);
    // As in ntxent.cpp: s has error sqrt(dim) u / tau, an exponential that of its argument, up to 2 / tau, a sum of n terms
    // sqrt(n) u; factor 4 in hand. Weights are rounded to bf16 on that path.
    const double n = std::sqrt(static_cast<double>(std::max(shape.anchors, shape.keys)));
    const double e = 4 * kUnit * ((std::sqrt(static_cast<double>(shape.dim)) + 2) / tau + n + 4);
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
};

}  // namespace kith::test
