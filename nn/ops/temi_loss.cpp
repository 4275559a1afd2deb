// temi_loss  student, teacher logits of several heads, prior [heads, classes] -> loss [heads]
#include "kernels/temi_loss.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

struct TemiExtents {
  int64_t heads, rows, classes, view, head, row;

  template <class T>
  kernels::TemiLogits<T> of(T* data) const {
    return {.data = data, .view = view, .head = head, .row = row};
  }
  template <class F>
  Cost cost(F f) const {
    return f(static_cast<double>(heads), static_cast<double>(rows), static_cast<double>(classes));
  }
};

// The second half of the rows are the other views of the first.
TemiExtents temi_extents(const Shape& student, const Shape& teacher, const Shape& prior) {
  const auto text = [&] {
    return fmt::format(
        "temi_loss: student {}, teacher {}, prior {}; expected two [2 rows, heads classes] or two [heads, "
        "2 rows, classes], and [heads, classes]",
        to_string(student), to_string(teacher), to_string(prior));
  };
  check(student == teacher && prior.size() == 2 && (student.size() == 2 || student.size() == 3), text());
  const int64_t heads = prior[0], classes = prior[1], rows = student[student.size() - 2] / 2;
  const bool side_by_side = student.size() == 2;
  const Shape want = side_by_side ? Shape{2 * rows, heads * classes} : Shape{heads, 2 * rows, classes};
  check(student == want, text());
  if (side_by_side) return {heads, rows, classes, rows * heads * classes, classes, heads * classes};
  return {heads, rows, classes, rows * classes, 2 * rows * classes, classes};
}

struct SavedTemi {
  TemiExtents extents;
  Tensor student, teacher, prior, weight, log_sum, log_mass;
  TemiOptions options;
};

void temi_backward(const SavedTemi& s, const Tensor& dloss, Grads& grads) {
  if (!grads.wanted(0)) return;
  grads.op().charge(s.extents.cost(kernels::temi_loss_backward_cost));
  kernels::temi_loss_backward({.student = s.extents.of<const float>(s.student.data()),
                               .teacher = s.extents.of<const float>(s.teacher.data()),
                               .heads = s.extents.heads,
                               .rows = s.extents.rows,
                               .classes = s.extents.classes,
                               .student_temperature = s.options.student_temperature,
                               .teacher_temperature = s.options.teacher_temperature,
                               .beta = s.options.beta,
                               .prior = s.prior.matrix(),
                               .weight = s.weight.span(),
                               .log_sum = s.log_sum.span(),
                               .log_mass = s.log_mass.span(),
                               .dloss = dloss.span(),
                               .dstudent = s.extents.of(grads.data(0)),
                               .write = grads.write(0)},
                              grads.queue());
}

}  // namespace

TemiOut temi_loss(Tape& tape, Var student, const Tensor& teacher, Tensor& prior, const TemiOptions& options) {
  Context& ctx = tape.context();
  const TemiExtents e = temi_extents(student.value().shape(), teacher.shape(), prior.shape());
  const Cost first = e.cost(kernels::temi_teacher_cost), second = e.cost(kernels::temi_loss_forward_cost);
  const OpScope op(ctx, "temi_loss", {.flops = first.flops + second.flops, .bytes = first.bytes + second.bytes});
  const Shape sums{2, e.heads, e.rows};
  const Tensor weight = ctx.empty({e.rows}), teacher_log_sum = ctx.empty(sums), log_sum = ctx.empty(sums),
               log_mass = ctx.empty(sums), loss = ctx.empty({e.heads});
  kernels::temi_teacher({.teacher = e.of<const float>(teacher.data()),
                         .heads = e.heads,
                         .rows = e.rows,
                         .classes = e.classes,
                         .temperature = options.teacher_temperature,
                         .momentum = options.momentum,
                         .prior = prior.matrix(),
                         .log_sum = teacher_log_sum.span(),
                         .weight = weight.span()},
                        ctx.queue());
  Tensor used = ctx.empty(prior.shape());  // backward reads what forward read, though the prior may have moved on
  used.copy_from(prior);
  kernels::temi_loss_forward({.student = e.of<const float>(student.value().data()),
                              .teacher = e.of<const float>(teacher.data()),
                              .heads = e.heads,
                              .rows = e.rows,
                              .classes = e.classes,
                              .student_temperature = options.student_temperature,
                              .teacher_temperature = options.teacher_temperature,
                              .beta = options.beta,
                              .prior = used.matrix(),
                              .teacher_log_sum = teacher_log_sum.span(),
                              .weight = weight.span(),
                              .loss = loss.span(),
                              .log_sum = log_sum.span(),
                              .log_mass = log_mass.span()},
                             ctx.queue());
  SavedTemi saved{.extents = e,
                  .student = student.value(),
                  .teacher = teacher,
                  .prior = used,
                  .weight = weight,
                  .log_sum = log_sum,
                  .log_mass = log_mass,
                  .options = options};
  Var out = tape.record("temi_loss", {student}, loss,
                        [saved = std::move(saved)](const Tensor& d, Grads& grads) { temi_backward(saved, d, grads); });
  return {.loss = out, .weight = weight};
}

}  // namespace kith
