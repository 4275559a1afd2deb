#include "kernels/ntxent.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void check_problem(Matrix<const float> z, float tau, const char* entry) {
  check(z.rows >= 4 && z.rows % 2 == 0,
        fmt::format("{}: {} rows, expected an even number of at least 4 (two views of each image)", entry, z.rows));
  check(z.cols >= 1, fmt::format("{}: rows are empty", entry));
  check(tau > 0, fmt::format("{}: tau is {}, expected a positive number", entry, tau));
}

void check_rows(size_t found, int64_t rows, const char* what) {
  check(static_cast<int64_t>(found) == rows, fmt::format("{} has {} entries, expected {}", what, found, rows));
}

}  // namespace

void ntxent_forward(const NtXentForward<float>& a, Queue q) {
  check_problem(a.z, a.tau, "ntxent_forward");
  check_rows(a.lse.size(), a.z.rows, "ntxent_forward: lse");
  check_rows(a.loss.size(), a.z.rows, "ntxent_forward: loss");
  if (q.device == Device::cuda) return cuda::ntxent_forward(a, q);
  cpu::ntxent_forward(a);
}

void ntxent_backward(const NtXentBackward<float>& a, Queue q) {
  check_problem(a.z, a.tau, "ntxent_backward");
  check_rows(a.lse.size(), a.z.rows, "ntxent_backward: lse");
  check_rows(a.dloss.size(), a.z.rows, "ntxent_backward: dloss");
  check(a.dz.rows == a.z.rows && a.dz.cols == a.z.cols,
        fmt::format("ntxent_backward: dz is [{}, {}], expected [{}, {}]", a.dz.rows, a.dz.cols, a.z.rows, a.z.cols));
  if (q.device == Device::cuda) return cuda::ntxent_backward(a, q);
  cpu::ntxent_backward(a);
}

}  // namespace kith::kernels
