#include "kernels/elementwise.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal, test::normal_rows, test::poison, test::Seed;

Cost run_add(const Sizes& s, Queue q) {
  const int64_t n = s["count"];
  const OnDevice<float> a(normal(n, Seed{1})), b(normal(n, Seed{2})), y(poison<float>(n));
  add({.a = a.span(), .b = b.span(), .y = y.span()}, q);
  return cost(add_cost, n);
}

Cost run_scale(const Sizes& s, Queue q) {
  const int64_t n = s["count"];
  const OnDevice<float> x(normal(n, Seed{1})), y(poison<float>(n));
  scale({.x = x.span(), .factor = 2.f, .y = y.span()}, q);
  return per_element(1, 8, n);
}

Cost run_relu_forward(const Sizes& s, Queue q) {
  const int64_t n = s["count"];
  const OnDevice<float> x(normal(n, Seed{1})), y(poison<float>(n));
  relu_forward({.x = x.span(), .y = y.span()}, q);
  return per_element(1, 8, n);
}

Cost run_relu_backward(const Sizes& s, Queue q) {
  const int64_t n = s["count"];
  const OnDevice<float> y(normal(n, Seed{1})), dy(normal(n, Seed{2})), dx(poison<float>(n));
  relu_backward({.y = y.span(), .dy = dy.span(), .dx = dx.span()}, q);
  return cost(relu_backward_cost, n);
}

Cost run_gelu_forward(const Sizes& s, Queue q) {
  const int64_t n = s["count"];
  const OnDevice<float> x(normal(n, Seed{1})), y(poison<float>(n));
  gelu_forward({.x = x.span(), .y = y.span()}, q);
  return cost(gelu_cost, n);
}

Cost run_gelu_backward(const Sizes& s, Queue q) {
  const int64_t n = s["count"];
  const OnDevice<float> x(normal(n, Seed{1})), dy(normal(n, Seed{2})), dx(poison<float>(n));
  gelu_backward({.x = x.span(), .dy = dy.span(), .dx = dx.span()}, q);
  return cost(gelu_backward_cost, n);
}

Cost run_broadcast(const Sizes& s, Queue q) {
  const int64_t n = s["count"];
  const OnDevice<float> x(normal(1, Seed{1})), y(poison<float>(n));
  broadcast({.x = x.span(), .y = y.span()}, q);
  return per_element(0, 4, n);
}

Cost run_sum(const Sizes& s, Queue q) {
  const int64_t n = s["count"];
  const OnDevice<float> x(normal(n, Seed{1})), y(poison<float>(1));
  sum({.x = x.span(), .y = y.span()}, q);
  return cost(sum_cost, n);
}

Cost run_column_sum(const Sizes& s, Queue q) {
  const OnDevice<float> x(normal_rows(s["rows"], s["cols"], Seed{1})), y(poison<float>(s["cols"]));
  column_sum({.x = x.matrix(), .y = y.span()}, q);
  return cost(sum_cost, s["rows"] * s["cols"]);
}

Cost run_gather_rows(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], cols = s["cols"];
  std::vector<int64_t> order(static_cast<size_t>(rows));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i * 7 % order.size());
  const OnDevice<float> x(normal_rows(rows, cols, Seed{1})), y(poison<float>(rows * cols));
  const OnDevice<int64_t> index(order);
  gather_rows({.x = x.matrix(), .index = index.span(), .y = {y.data(), rows, cols}}, q);
  return cost(gather_rows_cost, rows, cols);
}

Cost run_swap_axes(const Sizes& s, Queue q) {
  const int64_t heads = s["heads"], rows = s["rows"], classes = s["classes"], n = heads * rows * classes;
  const OnDevice<float> x(normal(n, Seed{1})), y(poison<float>(n));
  swap_axes({.x = x.span(), .a = rows, .b = heads, .c = classes, .y = y.span()}, q);
  return cost(swap_axes_cost, n);
}

Cost run_to_bf16(const Sizes& s, Queue q) {
  const int64_t n = s["count"];
  const OnDevice<float> x(normal(n, Seed{1}));
  const OnDevice<bf16> y(poison<bf16>(n));
  to_bf16({.x = x.span(), .y = y.span()}, q);
  return cost(to_bf16_cost, n);
}

Cost run_to_f32(const Sizes& s, Queue q) {
  const int64_t n = s["count"];
  const OnDevice<bf16> x(test::narrowed(normal(n, Seed{1})));
  const OnDevice<float> y(poison<float>(n));
  to_f32({.x = x.span(), .y = y.span()}, q);
  return per_element(0, 6, n);
}

const Sizes kElements{{"count", 65536}};
const Sizes kMatrix{{"rows", 1024}, {"cols", 64}};
const Entries kElementwiseEntries{{{"add", kElements, run_add},
                                   {"scale", kElements, run_scale},
                                   {"relu_forward", kElements, run_relu_forward},
                                   {"relu_backward", kElements, run_relu_backward},
                                   {"gelu_forward", kElements, run_gelu_forward},
                                   {"gelu_backward", kElements, run_gelu_backward},
                                   {"broadcast", kElements, run_broadcast},
                                   {"sum", kElements, run_sum},
                                   {"column_sum", kMatrix, run_column_sum},
                                   {"gather_rows", kMatrix, run_gather_rows},
                                   {"swap_axes", {{"heads", 10}, {"rows", 128}, {"classes", 10}}, run_swap_axes},
                                   {"to_bf16", kElements, run_to_bf16},
                                   {"to_f32", kElements, run_to_f32}}};

}  // namespace
}  // namespace kith::study
