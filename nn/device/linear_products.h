// The three products of a linear layer as BLAS states them. BLAS is column-major, our arrays are row-major: what we store as
// [r, c] is its c x r matrix with leading extent c, so each product below is the transpose of ours.
//
//   y^T  [out, rows] = w [out, in]  x^T [in, rows]       a = w, b = x
//   dx^T [in, rows]  = w^T [in, out]  dy^T [out, rows]   a = w, b = dy
//   dw^T [in, out]   = x^T [in, rows]  dy [rows, out]    a = x, b = dy
#pragma once
#include <compare>
#include <cstdint>

#include "nn/device/dense_math.h"

namespace kith {

enum class Transposed : uint8_t { no, yes };

// c [m, n] = op(a) [m, k] op(b) [k, n].
struct Product {
  Transposed a = Transposed::no, b = Transposed::no;
  int64_t m = 0, n = 0, k = 0;
  int64_t lead_a = 0, lead_b = 0, lead_c = 0;
  auto operator<=>(const Product&) const = default;
};

constexpr Product forward_product(const LinearShape& s) {
  return {.a = Transposed::yes, .m = s.out, .n = s.rows, .k = s.in, .lead_a = s.in, .lead_b = s.in, .lead_c = s.out};
}

constexpr Product data_product(const LinearShape& s) {
  return {.m = s.in, .n = s.rows, .k = s.out, .lead_a = s.in, .lead_b = s.out, .lead_c = s.in};
}

constexpr Product weights_product(const LinearShape& s) {
  return {.b = Transposed::yes, .m = s.in, .n = s.out, .k = s.rows, .lead_a = s.in, .lead_b = s.out, .lead_c = s.in};
}

}  // namespace kith
