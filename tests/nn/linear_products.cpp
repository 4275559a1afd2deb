#include "nn/linear_products.h"

#include <gtest/gtest.h>

#include <vector>

namespace kith {
namespace {

// Column-major, as BLAS defines it.
void run(const Product& p, const double* a, const double* b, double* c, double beta) {
  for (int64_t batch = 0; batch < p.batches; ++batch)
    for (int64_t j = 0; j < p.n; ++j)
      for (int64_t i = 0; i < p.m; ++i) {
        double sum = 0;
        for (int64_t l = 0; l < p.k; ++l) {
          const int64_t at_a = p.a == Transposed::yes ? l + i * p.lead_a : i + l * p.lead_a;
          const int64_t at_b = p.b == Transposed::yes ? j + l * p.lead_b : l + j * p.lead_b;
          sum += a[batch * p.step_a + at_a] * b[batch * p.step_b + at_b];
        }
        double& out = c[batch * p.step_c + i + j * p.lead_c];
        out = (beta == 0 ? 0 : beta * out) + sum;
      }
}

// Small whole numbers: every sum is exact.
std::vector<double> numbers(int64_t count, int seed) {
  std::vector<double> v;
  for (int64_t i = 0; i < count; ++i) v.push_back(static_cast<double>((i * 7 + seed * 13 + i * i % 11) % 9 - 4));
  return v;
}

TEST(linear_products, are_the_products_of_the_layer) {
  for (const LinearShape& s : {LinearShape{1, 1, 1, 1}, LinearShape{4, 3, 2, 1}, LinearShape{5, 7, 3, 4}}) {
    const auto x = numbers(s.rows * s.in, 1), w = numbers(s.heads * s.out * s.in, 2);
    const auto dy = numbers(s.heads * s.rows * s.out, 3);
    std::vector<double> want_y(dy.size(), 0), want_dx(x.size(), 0), want_dw(w.size(), 0);
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t r = 0; r < s.rows; ++r)
        for (int64_t o = 0; o < s.out; ++o)
          for (int64_t i = 0; i < s.in; ++i) {
            const int64_t at_y = (h * s.rows + r) * s.out + o, at_w = (h * s.out + o) * s.in + i, at_x = r * s.in + i;
            want_y[at_y] += x[at_x] * w[at_w];
            want_dx[at_x] += dy[at_y] * w[at_w];
            want_dw[at_w] += dy[at_y] * x[at_x];
          }
    std::vector<double> y(want_y.size()), dx(want_dx.size()), dw(want_dw.size());
    run(forward_product(s), w.data(), x.data(), y.data(), 0);
    EXPECT_EQ(y, want_y);
    for (int64_t h = 0; h < s.heads; ++h)
      run(data_product(s), w.data() + h * s.out * s.in, dy.data() + h * s.rows * s.out, dx.data(), h == 0 ? 0 : 1);
    EXPECT_EQ(dx, want_dx);
    run(weights_product(s), x.data(), dy.data(), dw.data(), 0);
    EXPECT_EQ(dw, want_dw);
  }
}

}  // namespace
}  // namespace kith
