#include "kernels/temi_loss.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal, test::poison, test::Seed;

// Heads side by side in the rows of one product.
template <class T>
TemiLogits<T> placed(T* data, const Sizes& s) {
  const int64_t width = s["heads"] * s["classes"];
  return {.data = data, .view = s["rows"] * width, .head = s["classes"], .row = width};
}

Cost run_temi_teacher(const Sizes& s, Queue q) {
  const int64_t heads = s["heads"], rows = s["rows"], classes = s["classes"];
  const OnDevice<float> teacher(normal(2 * heads * rows * classes, Seed{1})),
      prior(filled(heads * classes, 1.f / static_cast<float>(classes))), log_sum(poison<float>(2 * heads * rows)),
      weight(poison<float>(rows));
  temi_teacher({.teacher = placed<const float>(teacher.data(), s),
                .heads = heads,
                .rows = rows,
                .classes = classes,
                .temperature = 0.1f,
                .momentum = 0.9f,
                .prior = {prior.data(), heads, classes},
                .log_sum = log_sum.span(),
                .weight = weight.span()},
               q);
  return cost(temi_teacher_cost, heads, rows, classes);
}

Cost run_temi_loss_forward(const Sizes& s, Queue q) {
  const int64_t heads = s["heads"], rows = s["rows"], classes = s["classes"], sums = 2 * heads * rows;
  const OnDevice<float> student(normal(sums * classes, Seed{1})), teacher(normal(sums * classes, Seed{2})),
      prior(filled(heads * classes, 1.f / static_cast<float>(classes))), teacher_log_sum(filled(sums, 20.f)),
      weight(filled(rows, 0.5f)), loss(poison<float>(heads)), log_sum(poison<float>(sums)),
      log_mass(poison<float>(sums));
  temi_loss_forward({.student = placed<const float>(student.data(), s),
                     .teacher = placed<const float>(teacher.data(), s),
                     .heads = heads,
                     .rows = rows,
                     .classes = classes,
                     .student_temperature = 0.1f,
                     .teacher_temperature = 0.1f,
                     .beta = 0.6f,
                     .prior = {prior.data(), heads, classes},
                     .teacher_log_sum = teacher_log_sum.span(),
                     .weight = weight.span(),
                     .loss = loss.span(),
                     .log_sum = log_sum.span(),
                     .log_mass = log_mass.span()},
                    q);
  return cost(temi_loss_forward_cost, heads, rows, classes);
}

Cost run_temi_loss_backward(const Sizes& s, Queue q) {
  const int64_t heads = s["heads"], rows = s["rows"], classes = s["classes"], sums = 2 * heads * rows;
  const OnDevice<float> student(normal(sums * classes, Seed{1})), teacher(normal(sums * classes, Seed{2})),
      prior(filled(heads * classes, 1.f / static_cast<float>(classes))), weight(filled(rows, 0.5f)),
      log_sum(filled(sums, 20.f)), log_mass(filled(sums, 20.f)), dloss(filled(heads, 1.f)),
      dstudent(poison<float>(sums * classes));
  temi_loss_backward({.student = placed<const float>(student.data(), s),
                      .teacher = placed<const float>(teacher.data(), s),
                      .heads = heads,
                      .rows = rows,
                      .classes = classes,
                      .student_temperature = 0.1f,
                      .teacher_temperature = 0.1f,
                      .beta = 0.6f,
                      .prior = {prior.data(), heads, classes},
                      .weight = weight.span(),
                      .log_sum = log_sum.span(),
                      .log_mass = log_mass.span(),
                      .dloss = dloss.span(),
                      .dstudent = placed(dstudent.data(), s)},
                     q);
  return cost(temi_loss_backward_cost, heads, rows, classes);
}

const Sizes kTemiHeads{{"heads", 4}, {"rows", 256}, {"classes", 10}};
const Entries kTemiLossEntries{{{"temi_teacher", kTemiHeads, run_temi_teacher},
                                {"temi_loss_forward", kTemiHeads, run_temi_loss_forward},
                                {"temi_loss_backward", kTemiHeads, run_temi_loss_backward}}};

}  // namespace
}  // namespace kith::study
