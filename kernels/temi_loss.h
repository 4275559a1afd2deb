// TEMI clustering loss, several heads at once, a teacher and a student. Adaloglou et al. 2023 (TEMI, arXiv:2303.17896), Eq. 5-7.
//
// Logits z(v, h, i, c) of view v of pair i < rows (an image and its neighbour), head h < heads, class c < classes.
//
//   q_t = softmax(z_t / teacher_temperature), q_s = softmax(z_s / student_temperature)
//
//   temi_teacher, from z_t alone:
//     w_i     = 1/heads sum_h sum_c q_t(0, h, i, c) q_t(1, h, i, c)                    shared by the heads
//     prior_hc <- momentum prior_hc + (1 - momentum) 1/(2 rows) sum_v sum_i q_t(v, h, i, c)
//   temi_loss_forward, with the prior as it is then:
//     r(v, h, i, c) = (q_t(1 - v, h, i, c) q_s(v, h, i, c))^beta / max(prior_hc, 2^-126)   the student sees view v
//     loss_h        = - 1/(2 rows) sum_v sum_i w_i log sum_c r(v, h, i, c)
//   temi_loss_backward, with rho = r / sum_c r:
//     dz_s(v, h, i, c) = - dloss_h w_i beta / (2 rows student_temperature) (rho - q_s)
//
// Neither q_t, nor w, nor the prior receives a gradient. beta = 1 is the pointwise mutual information; the authors train with
// beta 0.6, both temperatures 0.1, momentum 0.9 and a prior that starts at 1/classes. Momentum 0 leaves the batch's mean in
// `prior`: several processes average it, and move their prior themselves. Log-space throughout: exact for saturated softmax
// (logits +-80 at a temperature of 0.1), where the probabilities themselves leave f32. loss_h may have either sign.
//
// Limits  rows >= 1, heads 1 to 65,535, classes 2 to 2^24; temperatures and beta > 0, momentum in [0, 1].
// Errors  Error on what is outside, and on sizes that disagree. A NaN logit of the student reaches its head's loss and its
//         own row of dz_s alone; one of the teacher's reaches every loss and its head's prior.
// Deterministic: sums over rows are made in an order that depends on the extents alone.
// Cost    DRAM temi_teacher 8 heads rows classes B, forward 16, backward 24; the saved sums are 20/classes as much again.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         temi_teacher 2, 9.6; temi_loss_forward 1, 5.3; temi_loss_backward 1, 2.2;
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

// Where the logit z(v, h, i, c) stands: data[v * view + h * head + i * row + c]. Heads side by side in the rows of one product
// [2 rows, heads classes], the views one below the other: {rows heads classes, classes, heads classes}.
template <class T>
struct TemiLogits {
  T* data = nullptr;
  int64_t view = 0, head = 0, row = 0;

  T* at(int64_t v, int64_t h, int64_t i) const { return data + v * view + h * head + i * row; }
};

template <class T>
struct TemiTeacher {
  TemiLogits<const T> teacher;
  int64_t heads, rows, classes;
  T temperature, momentum;
  Matrix<T> prior;       // [heads, classes]; moved
  std::span<T> log_sum;  // [2, heads, rows]: log sum_c exp(z_t / temperature), for the loss
  std::span<T> weight;   // [rows]: w, for the loss
};

template <class T>
struct TemiLossForward {
  TemiLogits<const T> student, teacher;
  int64_t heads, rows, classes;
  T student_temperature, teacher_temperature, beta;
  Matrix<const T> prior;               // [heads, classes]
  std::span<const T> teacher_log_sum;  // [2, heads, rows]
  std::span<const T> weight;           // [rows]
  std::span<T> loss;                   // [heads]
  // Saved for backward, [2, heads, rows] each, by the student's view: log sum_c exp(z_s / student_temperature), and
  // log sum_c exp(beta (z_t / teacher_temperature + z_s / student_temperature)) / prior.
  std::span<T> log_sum, log_mass;
};

template <class T>
struct TemiLossBackward {
  TemiLogits<const T> student, teacher;
  int64_t heads, rows, classes;
  T student_temperature, teacher_temperature, beta;
  Matrix<const T> prior;                                // as forward read it
  std::span<const T> weight, log_sum, log_mass, dloss;  // dloss [heads]
  TemiLogits<T> dstudent;                               // with strides of its own
  Write write = Write::overwrite;
};

void temi_teacher(const TemiTeacher<float>&, Queue);
void temi_loss_forward(const TemiLossForward<float>&, Queue);
void temi_loss_backward(const TemiLossBackward<float>&, Queue);

namespace cpu {
template <class T>
void temi_teacher(const TemiTeacher<T>&);  // <double>: the oracle
template <class T>
void temi_loss_forward(const TemiLossForward<T>&);
template <class T>
void temi_loss_backward(const TemiLossBackward<T>&);
}  // namespace cpu
namespace cuda {  // pointers are to device memory
void temi_teacher(const TemiTeacher<float>&, Queue);
void temi_loss_forward(const TemiLossForward<float>&, Queue);
void temi_loss_backward(const TemiLossBackward<float>&, Queue);
}  // namespace cuda

constexpr Cost temi_teacher_cost(double heads, double rows, double classes) {
  return {.flops = 14 * heads * rows * classes, .bytes = 8 * heads * rows * (classes + 1)};
}
constexpr Cost temi_loss_forward_cost(double heads, double rows, double classes) {
  return {.flops = 26 * heads * rows * classes, .bytes = heads * rows * (16 * classes + 24)};
}
constexpr Cost temi_loss_backward_cost(double heads, double rows, double classes) {
  return {.flops = 26 * heads * rows * classes, .bytes = heads * rows * (24 * classes + 16)};
}

}  // namespace kith::kernels
