// A problem every rung of the ladder solves, with the oracle's solution.
#pragma once
#include <cmath>

#include "bench/study/ladder/ladder.h"
#include "kernels/core/bf16.h"
#include "tests/support/device.h"

namespace kith::ladder {

class Problem {
 public:
  explicit Problem(int64_t rows)
      : z_(rounded(rows)), lse_(test::poison<float>(rows)), loss_(test::poison<float>(rows)), device_z_(z_) {}

  Forward arguments() const {
    return {.anchors = device_z_.matrix(),
            .keys = device_z_.matrix(),
            .tau = kTau,
            .lse = lse_.span(),
            .loss = loss_.span()};
  }

  testing::AssertionResult verified(const Rung& rung, Queue q) const {
    const test::HostMatrix<double> z = test::widen(z_);
    std::vector<double> lse(static_cast<size_t>(z.rows)), loss(lse);
    kernels::cpu::ntxent_forward<double>(
        {.anchors = z.view(), .keys = z.view(), .tau = kTau, .lse = lse, .loss = loss});
    rung.run(arguments(), q);
    // As in tests/kernels/cuda/ntxent.cpp: products of the same bf16 numbers, everything else in f32.
    const double rows = static_cast<double>(z.rows),
                 tol = 4 * test::kUnit * ((std::sqrt(kDim) + 2) / kTau + std::sqrt(rows) + 4);
    auto result = test::close(lse_.host(), lse, {.abs = tol});
    return result ? test::close(loss_.host(), loss, {.abs = 2 * tol}) : result;
  }

 private:
  static constexpr float kTau = 0.1f;
  static test::HostMatrix<float> rounded(int64_t rows) {
    test::HostMatrix<float> z = test::unit_rows(rows, kDim, test::Seed{7});
    for (float& v : z.values) v = widen(narrow(v));
    return z;
  }

  test::HostMatrix<float> z_;
  test::OnDevice<float> lse_, loss_, device_z_;
};

}  // namespace kith::ladder
