#include "kernels/softmax.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal_rows, test::poison, test::Seed;

Cost run_softmax_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], classes = s["classes"];
  const OnDevice<float> p(normal_rows(rows, classes, Seed{1})), dy(normal_rows(rows, classes, Seed{2})),
      dx(poison<float>(rows * classes));
  softmax_backward({.p = p.matrix(), .dy = dy.matrix(), .dx = {dx.data(), rows, classes}}, q);
  return cost(softmax_backward_cost, rows, classes);
}

Cost run_log_softmax_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], classes = s["classes"];
  const OnDevice<float> x(normal_rows(rows, classes, Seed{1})), y(poison<float>(rows * classes));
  log_softmax_forward({.x = x.matrix(), .y = {y.data(), rows, classes}}, q);
  return cost(log_softmax_forward_cost, rows, classes);
}

Cost run_log_softmax_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], classes = s["classes"];
  const OnDevice<float> y(normal_rows(rows, classes, Seed{1})), dy(normal_rows(rows, classes, Seed{2})),
      dx(poison<float>(rows * classes));
  log_softmax_backward({.y = y.matrix(), .dy = dy.matrix(), .dx = {dx.data(), rows, classes}}, q);
  return per_element(4, 12, rows * classes);
}

const Sizes kSoftmaxLogits{{"rows", 512}, {"classes", 10}};
const Entries kSoftmaxEntries{{{"softmax_backward", kSoftmaxLogits, run_softmax_backward},
                               {"log_softmax_forward", kSoftmaxLogits, run_log_softmax_forward},
                               {"log_softmax_backward", kSoftmaxLogits, run_log_softmax_backward}}};

}  // namespace
}  // namespace kith::study
