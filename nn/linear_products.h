// The three products of a linear layer as BLAS states them. BLAS is column-major, our arrays are row-major: what we store as
// [r, c] is its c x r matrix with leading extent c, so each product below is the transpose of ours.
//
//   y_h^T  [out, rows] = w_h [out, in]  x^T [in, rows]        a = w, b = x
//   dx^T   [in, rows]  = w_h^T [in, out]  dy_h^T [out, rows]  a = w, b = dy; one head at a time, the second head on adds
//   dw_h^T [in, out]   = x^T [in, rows]  dy_h [rows, out]     a = x, b = dy
#pragma once
#include <compare>
#include <cstdint>

#include "nn/device_math.h"

namespace kith {

enum class Transposed : uint8_t { no, yes };

// c [m, n] = op(a) [m, k] op(b) [k, n] for each of `batches`, `step_*` elements apart.
struct Product {
  Transposed a = Transposed::no, b = Transposed::no;
  int64_t m = 0, n = 0, k = 0;
  int64_t lead_a = 0, lead_b = 0, lead_c = 0;
  int64_t batches = 1, step_a = 0, step_b = 0, step_c = 0;
  auto operator<=>(const Product&) const = default;
};

constexpr Product forward_product(const LinearShape& s) {
  return {.a = Transposed::yes,
          .m = s.out,
          .n = s.rows,
          .k = s.in,
          .lead_a = s.in,
          .lead_b = s.in,
          .lead_c = s.out,
          .batches = s.heads,
          .step_a = s.out * s.in,
          .step_b = 0,
          .step_c = s.rows * s.out};
}

constexpr Product data_product(const LinearShape& s) {
  return {.m = s.in, .n = s.rows, .k = s.out, .lead_a = s.in, .lead_b = s.out, .lead_c = s.in};
}

constexpr Product weights_product(const LinearShape& s) {
  return {.b = Transposed::yes,
          .m = s.in,
          .n = s.out,
          .k = s.rows,
          .lead_a = s.in,
          .lead_b = s.out,
          .lead_c = s.in,
          .batches = s.heads,
          .step_a = 0,
          .step_b = s.rows * s.out,
          .step_c = s.out * s.in};
}

}  // namespace kith
