#include "kernels/temi_loss.h"

#include "bench/support.h"

namespace kith {
namespace {

// Heads side by side in the rows of one product, as a step has them; one call is all of a step: prior, loss, gradient.
template <class T>
struct Problem {
  int64_t heads, rows, classes;
  bench::Array<T> student, teacher, prior, teacher_log_sum, weight, loss, log_sum, log_mass, dloss, dstudent;

  Problem(Memory& memory, int64_t h, int64_t r, int64_t c, const std::vector<T>& s, const std::vector<T>& t)
      : heads(h),
        rows(r),
        classes(c),
        student(memory, s),
        teacher(memory, t),
        prior(memory, test::HostMatrix<T>(h, c, T(1) / static_cast<T>(c))),
        teacher_log_sum(memory, 2 * h * r),
        weight(memory, r),
        loss(memory, h),
        log_sum(memory, 2 * h * r),
        log_mass(memory, 2 * h * r),
        dloss(memory, std::vector<T>(static_cast<size_t>(h), T(1) / static_cast<T>(h))),
        dstudent(memory, 2 * r, h * c) {}
  template <class U>
  kernels::TemiLogits<U> place(U* data) const {
    return {.data = data, .view = rows * heads * classes, .head = classes, .row = heads * classes};
  }
  kernels::TemiTeacher<T> first() const {
    return {.teacher = place<const T>(teacher.data()),
            .heads = heads,
            .rows = rows,
            .classes = classes,
            .temperature = T(0.1),
            .momentum = T(0.9),
            .prior = prior.matrix(),
            .log_sum = teacher_log_sum.span(),
            .weight = weight.span()};
  }
  kernels::TemiLossForward<T> forward() const {
    return {.student = place<const T>(student.data()),
            .teacher = place<const T>(teacher.data()),
            .heads = heads,
            .rows = rows,
            .classes = classes,
            .student_temperature = T(0.1),
            .teacher_temperature = T(0.1),
            .beta = T(0.6),
            .prior = prior.matrix(),
            .teacher_log_sum = teacher_log_sum.span(),
            .weight = weight.span(),
            .loss = loss.span(),
            .log_sum = log_sum.span(),
            .log_mass = log_mass.span()};
  }
  kernels::TemiLossBackward<T> backward() const {
    return {.student = place<const T>(student.data()),
            .teacher = place<const T>(teacher.data()),
            .heads = heads,
            .rows = rows,
            .classes = classes,
            .student_temperature = T(0.1),
            .teacher_temperature = T(0.1),
            .beta = T(0.6),
            .prior = prior.matrix(),
            .weight = weight.span(),
            .log_sum = log_sum.span(),
            .log_mass = log_mass.span(),
            .dloss = dloss.span(),
            .dstudent = place<T>(dstudent.data())};
  }
};

void temi_loss(benchmark::State& state) {
  const int64_t heads = state.range(0), rows = state.range(1), classes = state.range(2),
                size = 2 * heads * rows * classes;
  const std::vector<float> s = bench::draws(size, {7}, 0.3f), t = bench::draws(size, {8}, 0.3f);
  const Problem<float> p(bench::memory(), heads, rows, classes, s, t);
  const Problem<double> oracle(bench::host(), heads, rows, classes, test::widen(s), test::widen(t));
  const auto forward = [&] {
    kernels::temi_teacher(p.first(), bench::queue()), kernels::temi_loss_forward(p.forward(), bench::queue());
  };
  const auto backward = [&] { kernels::temi_loss_backward(p.backward(), bench::queue()); };
  forward(), backward();
  kernels::cpu::temi_teacher(oracle.first()), kernels::cpu::temi_loss_forward(oracle.forward());
  kernels::cpu::temi_loss_backward(oracle.backward());
  // Logits of 15 over a temperature: log probabilities within 1e3 u, times beta / (2 heads rows temperature).
  const double tol = 1e3 * test::kUnit * 0.6 / (2 * static_cast<double>(heads * rows) * 0.1);
  using bench::operator+;
  bench::run_both_verified(state, test::close(p.dstudent.to_host(), oracle.dstudent.to_host(), {.abs = tol}),
                           bench::cost(kernels::temi_teacher_cost, heads, rows, classes) +
                               bench::cost(kernels::temi_loss_forward_cost, heads, rows, classes) +
                               bench::cost(kernels::temi_loss_backward_cost, heads, rows, classes),
                           forward, backward);
}
const std::vector<std::vector<int64_t>> kSizes = {{16, 1024, 10}, {16, 1024, 100}};
const bench::Entry kBoth{
    "temi_loss",
    temi_loss,
    {.cpu = kSizes, .cuda = {{16, 1024, 10}, {16, 1024, 100}, {50, 1024, 1000}}, .smoke = {{2, 9, 10}, {1, 3, 130}}}};

}  // namespace
}  // namespace kith
