#include "kernels/l2_normalize.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal_rows, test::poison, test::Seed, test::unit_rows;

Cost run_l2_normalize_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], dim = s["dim"];
  const OnDevice<float> x(normal_rows(rows, dim, Seed{1})), y(poison<float>(rows * dim)), norm(poison<float>(rows));
  l2_normalize_forward({.x = x.matrix(), .y = {y.data(), rows, dim}, .norm = norm.span()}, q);
  return cost(l2_normalize_forward_cost, rows, dim);
}

Cost run_l2_normalize_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], dim = s["dim"];
  const OnDevice<float> y(unit_rows(rows, dim, Seed{1})), dy(normal_rows(rows, dim, Seed{2})), norm(filled(rows, 1.f)),
      dx(poison<float>(rows * dim));
  l2_normalize_backward({.y = y.matrix(), .dy = dy.matrix(), .norm = norm.span(), .dx = {dx.data(), rows, dim}}, q);
  return cost(l2_normalize_backward_cost, rows, dim);
}

Cost run_weight_norm_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], dim = s["dim"];
  const OnDevice<float> v(normal_rows(rows, dim, Seed{1})), gain(filled(rows, 1.f)), w(poison<float>(rows * dim)),
      norm(poison<float>(rows));
  weight_norm_forward({.v = v.matrix(), .gain = gain.span(), .w = {w.data(), rows, dim}, .norm = norm.span()}, q);
  return cost(weight_norm_forward_cost, rows, dim);
}

Cost run_weight_norm_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], dim = s["dim"];
  const OnDevice<float> v(normal_rows(rows, dim, Seed{1})), dw(normal_rows(rows, dim, Seed{2})),
      gain(filled(rows, 1.f)), norm(filled(rows, 1.f)), dv(poison<float>(rows * dim)), dgain(poison<float>(rows));
  weight_norm_backward({.v = v.matrix(),
                        .gain = gain.span(),
                        .norm = norm.span(),
                        .dw = dw.matrix(),
                        .dv = {dv.data(), rows, dim},
                        .dgain = dgain.span()},
                       q);
  return cost(weight_norm_backward_cost, rows, dim);
}

const Sizes kVectors{{"rows", 512}, {"dim", 128}};
const Entries kL2NormalizeEntries{{{"l2_normalize_forward", kVectors, run_l2_normalize_forward},
                                   {"l2_normalize_backward", kVectors, run_l2_normalize_backward},
                                   {"weight_norm_forward", kVectors, run_weight_norm_forward},
                                   {"weight_norm_backward", kVectors, run_weight_norm_backward}}};

}  // namespace
}  // namespace kith::study
