// Drawn logits for the tests of TEMI's loss, the oracle's results, and how far f32 may be from them.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/temi_loss.h"
#include "tests/support/compare.h"

namespace kith::test {

template <class T>
struct TemiProblem {
  int64_t heads, rows, classes;
  std::vector<T> student, teacher, dloss;  // [2, heads, rows, classes] both, [heads]
  HostMatrix<T> prior;                     // [heads, classes]
  T student_temperature = T(0.1f), teacher_temperature = T(0.1f), beta = T(0.6f), momentum = T(0.9f);

  TemiProblem(int64_t h, int64_t r, int64_t c) : heads(h), rows(r), classes(c), prior(h, c, T(1) / static_cast<T>(c)) {}
  // One after the other: view, head, row.
  template <class U>
  kernels::TemiLogits<U> logits(U* data) const {
    return {.data = data, .view = heads * rows * classes, .head = rows * classes, .row = classes};
  }
};

inline TemiProblem<float> draw_temi(int64_t heads, int64_t rows, int64_t classes, float scale) {
  TemiProblem<float> p(heads, rows, classes);
  const int64_t size = 2 * heads * rows * classes;
  p.student = normal(size, Seed{1}, scale), p.teacher = normal(size, Seed{2}, scale), p.dloss = normal(heads, Seed{3});
  return p;
}

inline TemiProblem<double> widen(const TemiProblem<float>& p) {
  TemiProblem<double> w(p.heads, p.rows, p.classes);
  w.student = widen(p.student), w.teacher = widen(p.teacher), w.dloss = widen(p.dloss), w.prior = widen(p.prior);
  w.student_temperature = p.student_temperature, w.teacher_temperature = p.teacher_temperature;
  w.beta = p.beta, w.momentum = p.momentum;
  return w;
}

template <class T>
struct TemiResult {
  HostMatrix<T> prior;
  std::vector<T> teacher_log_sum, weight, loss, log_sum, log_mass, dstudent;

  explicit TemiResult(const TemiProblem<T>& p) : prior(p.prior) {
    const T nan = std::numeric_limits<T>::quiet_NaN();
    const auto sums = static_cast<size_t>(2 * p.heads * p.rows);
    teacher_log_sum.assign(sums, nan), log_sum.assign(sums, nan), log_mass.assign(sums, nan);
    weight.assign(static_cast<size_t>(p.rows), nan), loss.assign(static_cast<size_t>(p.heads), nan);
    dstudent.assign(p.student.size(), nan);
  }
};

// The arguments of the three entries. U is T, or const T, of the logits' views.
template <class T>
kernels::TemiTeacher<T> teacher_pass(const TemiProblem<T>& p, TemiResult<T>& r) {
  return {.teacher = p.logits(p.teacher.data()),
          .heads = p.heads,
          .rows = p.rows,
          .classes = p.classes,
          .temperature = p.teacher_temperature,
          .momentum = p.momentum,
          .prior = r.prior.view(),
          .log_sum = r.teacher_log_sum,
          .weight = r.weight};
}
template <class T>
kernels::TemiLossForward<T> forward_pass(const TemiProblem<T>& p, TemiResult<T>& r) {
  return {.student = p.logits(p.student.data()),
          .teacher = p.logits(p.teacher.data()),
          .heads = p.heads,
          .rows = p.rows,
          .classes = p.classes,
          .student_temperature = p.student_temperature,
          .teacher_temperature = p.teacher_temperature,
          .beta = p.beta,
          .prior = r.prior.view(),
          .teacher_log_sum = r.teacher_log_sum,
          .weight = r.weight,
          .loss = r.loss,
          .log_sum = r.log_sum,
          .log_mass = r.log_mass};
}
template <class T>
kernels::TemiLossBackward<T> backward_pass(const TemiProblem<T>& p, TemiResult<T>& r) {
  return {.student = p.logits(p.student.data()),
          .teacher = p.logits(p.teacher.data()),
          .heads = p.heads,
          .rows = p.rows,
          .classes = p.classes,
          .student_temperature = p.student_temperature,
          .teacher_temperature = p.teacher_temperature,
          .beta = p.beta,
          .prior = r.prior.view(),
          .weight = r.weight,
          .log_sum = r.log_sum,
          .log_mass = r.log_mass,
          .dloss = p.dloss,
          .dstudent = p.logits(r.dstudent.data())};
}

inline TemiResult<double> temi_oracle(const TemiProblem<float>& narrow) {
  const TemiProblem<double> p = widen(narrow);
  TemiResult<double> r(p);
  kernels::cpu::temi_teacher(teacher_pass(p, r));
  kernels::cpu::temi_loss_forward(forward_pass(p, r));
  kernels::cpu::temi_loss_backward(backward_pass(p, r));
  return r;
}

inline double largest_of(const std::vector<float>& v) {
  double m = 0;
  for (const float x : v) m = std::max(m, std::abs(double{x}));
  return m;
}

// A log probability z / T - log sum has the absolute error e: a few roundings of z / T, of which the sum's largest term decides,
// 2 ulp of exp, sqrt(n) u of the sum; factor 2 in hand. log_mass adds two of them and a logarithm of the prior, whose
// relative error is e and whose size is at most 87. A weight is a sum of products of probabilities, and at most 1.
inline void expect_temi(const TemiProblem<float>& p, const TemiResult<float>& got) {
  SCOPED_TRACE(testing::Message() << p.heads << " x " << p.rows << " x " << p.classes);
  const TemiResult<double> want = temi_oracle(p);
  const double logits = std::max(largest_of(p.student) / double{p.student_temperature},
                                 largest_of(p.teacher) / double{p.teacher_temperature});
  const double beta = p.beta, rows = static_cast<double>(p.rows), classes = static_cast<double>(p.classes);
  const double e = 2 * kUnit * (4 * logits + 8 + std::sqrt(classes)), prior = e + 2 * kUnit * std::sqrt(rows);
  const double mass = prior + 2 * kUnit * (beta * 8 * logits + 87 + 8 + std::sqrt(classes));
  const double term = 4 * beta * logits + 87;  // |log sum r| at most
  EXPECT_TRUE(close(got.teacher_log_sum, want.teacher_log_sum, {.abs = e}));
  EXPECT_TRUE(close(got.weight, want.weight, {.abs = 2 * e}));
  EXPECT_TRUE(close(got.prior.values, want.prior.values, {.abs = 0x1p-126, .rel = prior + 2 * kUnit}));
  EXPECT_TRUE(close(got.log_sum, want.log_sum, {.abs = e}));
  EXPECT_TRUE(close(got.log_mass, want.log_mass, {.abs = mass}));
  // The mean of 2 w term: errors of both factors, and of sums of at most 64 rows in f32.
  EXPECT_TRUE(close(got.loss, want.loss, {.abs = mass + 2 * beta * e + (2 * e + 16 * kUnit) * term}));
  const double factor = largest_of(p.dloss) * beta / (2 * rows * double{p.student_temperature});
  EXPECT_TRUE(close(got.dstudent, want.dstudent, {.abs = factor * (2 * mass + 2 * e + 4 * e)}));
}

}  // namespace kith::test
