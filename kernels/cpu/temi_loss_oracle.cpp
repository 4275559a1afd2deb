// TEMI's loss in plain loops of double.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/vec_math.h"
#include "kernels/temi_loss.h"

namespace kith::kernels::cpu {
namespace {

double log_sum_exp(const std::vector<double>& x) {
  const double max = *std::ranges::max_element(x);
  double sum = 0;
  for (const double v : x) sum += std::exp(v - max);
  return max + std::log(sum);
}

std::vector<double> divided(const double* z, int64_t classes, double temperature) {
  std::vector<double> x(z, z + classes);
  for (double& v : x) v /= temperature;
  return x;
}

std::vector<double> log_softmax(const double* z, int64_t classes, double temperature) {
  std::vector<double> x = divided(z, classes, temperature);
  const double all = log_sum_exp(x);
  for (double& v : x) v -= all;
  return x;
}

double log_prior(double prior) { return std::log(prior < 0x1p-126 ? 0x1p-126 : prior); }

// log r of view v, as the contract writes it.
template <class A>
std::vector<double> log_masses(const A& a, int64_t v, int64_t h, int64_t i) {
  const std::vector<double> t = log_softmax(a.teacher.at(1 - v, h, i), a.classes, a.teacher_temperature);
  std::vector<double> r = log_softmax(a.student.at(v, h, i), a.classes, a.student_temperature);
  for (size_t c = 0; c < r.size(); ++c) r[c] = a.beta * (t[c] + r[c]) - log_prior(a.prior.row(h)[c]);
  return r;
}

}  // namespace

template <>
void temi_teacher(const TemiTeacher<double>& a) {
  std::vector<double> mean(static_cast<size_t>(a.heads * a.classes));
  for (int64_t i = 0; i < a.rows; ++i) {
    double together = 0;
    for (int64_t h = 0; h < a.heads; ++h) {
      std::vector<double> q[2];
      for (int64_t v = 0; v < 2; ++v) {
        q[v] = log_softmax(a.teacher.at(v, h, i), a.classes, a.temperature);
        a.log_sum[(v * a.heads + h) * a.rows + i] =
            log_sum_exp(divided(a.teacher.at(v, h, i), a.classes, a.temperature));
      }
      for (int64_t c = 0; c < a.classes; ++c) {
        together += std::exp(q[0][c]) * std::exp(q[1][c]);
        mean[h * a.classes + c] += (std::exp(q[0][c]) + std::exp(q[1][c])) / (2 * static_cast<double>(a.rows));
      }
    }
    a.weight[i] = together / static_cast<double>(a.heads);
  }
  for (int64_t j = 0; j < a.heads * a.classes; ++j)
    a.prior.data[j] = a.momentum * a.prior.data[j] + (1 - a.momentum) * mean[j];
}

template <>
void temi_loss_forward(const TemiLossForward<double>& a) {
  for (int64_t h = 0; h < a.heads; ++h) {
    double loss = 0;
    for (int64_t v = 0; v < 2; ++v)
      for (int64_t i = 0; i < a.rows; ++i) {
        const double all = log_sum_exp(log_masses(a, v, h, i));
        loss -= a.weight[i] * all;
        const int64_t at = (v * a.heads + h) * a.rows + i, other = ((1 - v) * a.heads + h) * a.rows + i;
        a.log_sum[at] = log_sum_exp(divided(a.student.at(v, h, i), a.classes, a.student_temperature));
        a.log_mass[at] = all + a.beta * (a.teacher_log_sum[other] + a.log_sum[at]);
      }
    a.loss[h] = loss / (2 * static_cast<double>(a.rows));
  }
}

template <>
void temi_loss_backward(const TemiLossBackward<double>& a) {
  for (int64_t v = 0; v < 2; ++v)
    for (int64_t h = 0; h < a.heads; ++h)
      for (int64_t i = 0; i < a.rows; ++i) {
        const std::vector<double> log_r = log_masses(a, v, h, i),
                                  log_q = log_softmax(a.student.at(v, h, i), a.classes, a.student_temperature);
        const double all = log_sum_exp(log_r);
        const double factor =
            -a.dloss[h] * a.weight[i] * a.beta / (2 * static_cast<double>(a.rows) * a.student_temperature);
        double* d = a.dstudent.at(v, h, i);
        for (int64_t c = 0; c < a.classes; ++c)
          d[c] = landed(a.write, d[c], factor * (std::exp(log_r[c] - all) - std::exp(log_q[c])));
      }
}

}  // namespace kith::kernels::cpu
