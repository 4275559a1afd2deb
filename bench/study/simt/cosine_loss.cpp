#include "kernels/cosine_loss.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal_rows, test::poison, test::Seed;

Cost run_cosine_loss_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], dim = s["dim"];
  const OnDevice<float> x(normal_rows(rows, dim, Seed{1})), y(normal_rows(rows, dim, Seed{2})),
      loss(poison<float>(rows));
  cosine_loss_forward({.x = x.matrix(), .y = y.matrix(), .loss = loss.span()}, q);
  return cost(cosine_loss_forward_cost, rows, dim);
}

Cost run_cosine_loss_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], dim = s["dim"];
  const OnDevice<float> x(normal_rows(rows, dim, Seed{1})), y(normal_rows(rows, dim, Seed{2})),
      dloss(filled(rows, 1.f)), dx(poison<float>(rows * dim));
  cosine_loss_backward({.x = x.matrix(), .y = y.matrix(), .dloss = dloss.span(), .dx = {dx.data(), rows, dim}}, q);
  return cost(cosine_loss_backward_cost, rows, dim);
}

const Sizes kDirections{{"rows", 512}, {"dim", 256}};
const Entries kCosineLossEntries{{{"cosine_loss_forward", kDirections, run_cosine_loss_forward},
                                  {"cosine_loss_backward", kDirections, run_cosine_loss_backward}}};

}  // namespace
}  // namespace kith::study
