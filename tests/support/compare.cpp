#include "tests/support/compare.h"

#include <algorithm>
#include <numbers>

namespace kith::test {

std::vector<float> normal(int64_t count, Seed seed, float scale) {
  Random random(seed.value, 0, 0, 0);
  std::vector<float> v(static_cast<size_t>(count));
  for (float& x : v) {
    const double u = (random.bits() + 0.5) * 0x1p-32, phi = random.bits() * 0x1p-32;
    x = scale * static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * phi));
  }
  return v;
}

HostMatrix<float> normal_rows(int64_t rows, int64_t cols, Seed seed, float scale) {
  HostMatrix<float> m(rows, cols);
  m.values = normal(rows * cols, seed, scale);
  return m;
}

HostMatrix<float> unit_rows(int64_t rows, int64_t cols, Seed seed) {
  HostMatrix<float> m = normal_rows(rows, cols, seed);
  for (int64_t i = 0; i < rows; ++i) {
    double norm = 0;
    for (const float x : m.view().row(i)) norm += double{x} * x;
    for (float& x : m.view().row(i)) x = static_cast<float>(x / std::sqrt(norm));
  }
  return m;
}

HostMatrix<double> widen(const HostMatrix<float>& m) {
  HostMatrix<double> w(m.rows, m.cols);
  w.values.assign(m.values.begin(), m.values.end());
  return w;
}

std::vector<double> widen(std::span<const float> v) { return {v.begin(), v.end()}; }

std::vector<bf16> narrowed(std::span<const float> v) {
  std::vector<bf16> out(v.size());
  std::transform(v.begin(), v.end(), out.begin(), [](float x) { return narrow(x); });
  return out;
}
std::vector<float> widened(std::span<const bf16> v) {
  std::vector<float> out(v.size());
  std::transform(v.begin(), v.end(), out.begin(), [](bf16 x) { return widen(x); });
  return out;
}

}  // namespace kith::test
