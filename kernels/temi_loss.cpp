#include "kernels/temi_loss.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

constexpr int64_t kMostHeads = 65535;               // a grid's second extent
constexpr int64_t kMostClasses = int64_t{1} << 24;  // with a block's rows within 32 bits

void check_extents(int64_t heads, int64_t rows, int64_t classes, const char* entry) {
  check(heads >= 1 && heads <= kMostHeads && rows >= 1 && classes >= 2 && classes <= kMostClasses,
        fmt::format("{}: heads {}, rows {}, classes {}; expected 1 to {}, at least 1, 2 to {}", entry, heads, rows,
                    classes, kMostHeads, kMostClasses));
}

// Every row of logits stands apart from the next of its view, head and row.
template <class T>
void check_logits(const TemiLogits<T>& z, int64_t classes, const char* entry, const char* what) {
  check(z.data != nullptr, fmt::format("{}: no {} logits", entry, what));
  check(z.view >= classes && z.head >= classes && z.row >= classes,
        fmt::format("{}: {} logits stand {}, {} and {} apart by view, head and row; expected at least {} classes",
                    entry, what, z.view, z.head, z.row, classes));
}

void check_size(size_t found, int64_t want, const char* entry, const char* what) {
  check(static_cast<int64_t>(found) == want,
        fmt::format("{}: {} has {} entries, expected {}", entry, what, found, want));
}

template <class T>
void check_prior(const Matrix<T>& prior, int64_t heads, int64_t classes, const char* entry) {
  check(prior.rows == heads && prior.cols == classes,
        fmt::format("{}: prior is [{}, {}], expected [{}, {}]", entry, prior.rows, prior.cols, heads, classes));
}

void check_positive(float value, const char* entry, const char* what) {
  check(value > 0, fmt::format("{}: {} is {}, expected above 0", entry, what, value));
}

// What forward and backward have in common.
template <class A>
void check_loss(const A& a, const char* entry) {
  check_extents(a.heads, a.rows, a.classes, entry);
  check_logits(a.student, a.classes, entry, "student");
  check_logits(a.teacher, a.classes, entry, "teacher");
  check_positive(a.student_temperature, entry, "student temperature");
  check_positive(a.teacher_temperature, entry, "teacher temperature");
  check_positive(a.beta, entry, "beta");
  check_prior(a.prior, a.heads, a.classes, entry);
  check_size(a.weight.size(), a.rows, entry, "weight");
  check_size(a.log_sum.size(), 2 * a.heads * a.rows, entry, "log_sum");
  check_size(a.log_mass.size(), 2 * a.heads * a.rows, entry, "log_mass");
}

}  // namespace

void temi_teacher(const TemiTeacher<float>& a, Queue q) {
  constexpr const char* kEntry = "temi_teacher";
  check_extents(a.heads, a.rows, a.classes, kEntry);
  check_logits(a.teacher, a.classes, kEntry, "teacher");
  check_positive(a.temperature, kEntry, "temperature");
  check(a.momentum >= 0 && a.momentum <= 1, fmt::format("{}: momentum is {}, expected 0 to 1", kEntry, a.momentum));
  check_prior(a.prior, a.heads, a.classes, kEntry);
  check_size(a.log_sum.size(), 2 * a.heads * a.rows, kEntry, "log_sum");
  check_size(a.weight.size(), a.rows, kEntry, "weight");
  if (q.device == Device::cuda) return cuda::temi_teacher(a, q);
  cpu::temi_teacher(a);
}

void temi_loss_forward(const TemiLossForward<float>& a, Queue q) {
  check_loss(a, "temi_loss_forward");
  check_size(a.teacher_log_sum.size(), 2 * a.heads * a.rows, "temi_loss_forward", "teacher_log_sum");
  check_size(a.loss.size(), a.heads, "temi_loss_forward", "loss");
  if (q.device == Device::cuda) return cuda::temi_loss_forward(a, q);
  cpu::temi_loss_forward(a);
}

void temi_loss_backward(const TemiLossBackward<float>& a, Queue q) {
  check_loss(a, "temi_loss_backward");
  check_size(a.dloss.size(), a.heads, "temi_loss_backward", "dloss");
  check_logits(a.dstudent, a.classes, "temi_loss_backward", "gradients of the student's");
  if (q.device == Device::cuda) return cuda::temi_loss_backward(a, q);
  cpu::temi_loss_backward(a);
}

}  // namespace kith::kernels
