#include "nn/device/linear_products.h"

#include <gtest/gtest.h>

#include <vector>

namespace kith {
namespace {

// Column-major, as BLAS defines it.
void run(const Product& p, const double* a, const double* b, double* c) {
  for (int64_t j = 0; j < p.n; ++j)
    for (int64_t i = 0; i < p.m; ++i) {
      double sum = 0;
      for (int64_t l = 0; l < p.k; ++l) {
        const int64_t at_a = p.a == Transposed::yes ? l + i * p.lead_a : i + l * p.lead_a;
        const int64_t at_b = p.b == Transposed::yes ? j + l * p.lead_b : l + j * p.lead_b;
        sum += a[at_a] * b[at_b];
      }
      c[i + j * p.lead_c] = sum;
    }
}

// Small whole numbers: every sum is exact.
std::vector<double> numbers(int64_t count, int seed) {
  std::vector<double> v;
  for (int64_t i = 0; i < count; ++i) v.push_back(static_cast<double>((i * 7 + seed * 13 + i * i % 11) % 9 - 4));
  return v;
}

TEST(linear_products, are_the_products_of_the_layer) {
  for (const LinearShape& s : {LinearShape{1, 1, 1}, LinearShape{4, 3, 2}, LinearShape{5, 7, 12}}) {
    const auto x = numbers(s.rows * s.in, 1), w = numbers(s.out * s.in, 2);
    const auto dy = numbers(s.rows * s.out, 3);
    std::vector<double> want_y(dy.size(), 0), want_dx(x.size(), 0), want_dw(w.size(), 0);
    for (int64_t r = 0; r < s.rows; ++r)
      for (int64_t o = 0; o < s.out; ++o)
        for (int64_t i = 0; i < s.in; ++i) {
          const int64_t at_y = r * s.out + o, at_w = o * s.in + i, at_x = r * s.in + i;
          want_y[at_y] += x[at_x] * w[at_w];
          want_dx[at_x] += dy[at_y] * w[at_w];
          want_dw[at_w] += dy[at_y] * x[at_x];
        }
    std::vector<double> y(want_y.size()), dx(want_dx.size()), dw(want_dw.size());
    run(forward_product(s), w.data(), x.data(), y.data());
    EXPECT_EQ(y, want_y);
    run(data_product(s), w.data(), dy.data(), dx.data());
    EXPECT_EQ(dx, want_dx);
    run(weights_product(s), x.data(), dy.data(), dw.data());
    EXPECT_EQ(dw, want_dw);
  }
}

}  // namespace
}  // namespace kith
