// The same bits for any number of threads: products, and the kernels whose own tests do not vary it. Sizes of several chunks.
#include <gtest/gtest.h>
#include <omp.h>

#include <functional>

#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/l2_normalize.h"
#include "kernels/pool.h"
#include "kernels/scan_loss.h"
#include "kernels/selflabel_loss.h"
#include "kernels/softmax_xent.h"
#include "tests/kernels/temi_loss_problem.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

using namespace kernels;
using Floats = std::vector<float>;

class Threads : public testing::Test {
 protected:
  void TearDown() override { omp_set_num_threads(before_); }
  // results() gives what a kernel wrote.
  static void expect_same_bits(const std::function<Floats()>& results) {
    omp_set_num_threads(1);
    const Floats one = results();
    for (const int n : {2, 3, 4, 7}) {
      omp_set_num_threads(n);
      EXPECT_EQ(results(), one) << n << " threads";
    }
  }

 private:
  int before_ = omp_get_max_threads();
};

TEST_F(Threads, GiveTheSameProduct) {
  // Tall, wide, a sum much longer than the result, one column, fewer rows than a block.
  constexpr int64_t kShapes[][3] = {{700, 20, 130}, {30, 500, 64}, {10, 100, 4096}, {300, 1, 512}, {7, 5, 3000}};
  for (const auto& [m, n, k] : kShapes)
    for (const Op op_a : {Op::none, Op::transpose})
      for (const Op op_b : {Op::none, Op::transpose}) {
        SCOPED_TRACE(testing::Message() << m << " x " << n << " x " << k);
        const Floats a = normal(m * k, {1}), b = normal(k * n, {2});
        const auto product = [&, m = m, n = n, k = k] {
          Floats c = normal(m * n, {3});
          shared_gemm(op_a, op_b, m, n, k, 0.5f, a.data(), op_a == Op::none ? k : m, b.data(), op_b == Op::none ? n : k,
                      1.f, c.data(), n);
          return c;
        };
        expect_same_bits(product);
        // Of unit normals k products, each rounded, and the sum that was there; factor 4 in hand.
        const Floats got = product(), c = normal(m * n, {3});
        std::vector<double> want(got.size());
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (int64_t l = 0; l < k; ++l)
              sum += double{a[op_a == Op::none ? i * k + l : l * m + i]} * b[op_b == Op::none ? l * n + j : j * k + l];
            want[i * n + j] = 0.5 * sum + c[i * n + j];
          }
        EXPECT_TRUE(close(got, want, {.abs = 4 * kUnit * static_cast<double>(k), .rel = 2 * kUnit}));
      }
}

TEST_F(Threads, GiveTheSameSums) {
  const HostMatrix<float> x = normal_rows(40001, 3, {1});
  expect_same_bits([&] {
    Floats y(4);
    sum(Sum<float>{.x = x.values, .y = std::span(y).first(1)}, {});
    column_sum(ColumnSum<float>{.x = x.view(), .y = std::span(y).last(3)}, {});
    return y;
  });
}

TEST_F(Threads, GiveTheSameUnitRows) {
  const HostMatrix<float> x = normal_rows(3000, 33, {1}), dy = normal_rows(3000, 33, {2});
  expect_same_bits([&] {
    HostMatrix<float> y(3000, 33), dx(3000, 33);
    Floats norm(3000);
    l2_normalize_forward({.x = x.view(), .y = y.view(), .norm = norm}, {});
    l2_normalize_backward({.y = std::as_const(y).view(), .dy = dy.view(), .norm = norm, .dx = dx.view()}, {});
    dx.values.insert(dx.values.end(), y.values.begin(), y.values.end());
    return dx.values;
  });
}

TEST_F(Threads, GiveTheSamePools) {
  constexpr PoolShape kShape{.images = 40,
                             .height = 9,
                             .width = 8,
                             .channels = 17,
                             .kernel_height = 3,
                             .kernel_width = 3,
                             .stride = 2,
                             .padding = 1};
  const Floats x = normal(kShape.in_size(), {1}), dy = normal(kShape.out_size(), {2});
  expect_same_bits([&] {
    Floats y(dy.size()), dx(x.size()), mean(40 * 17);
    std::vector<uint8_t> position(dy.size());
    max_pool_forward(MaxPoolForward<float>{.shape = kShape, .x = x, .y = y, .position = position}, {});
    max_pool_backward(MaxPoolBackward<float>{.shape = kShape, .dy = dy, .position = position, .dx = dx}, {});
    average_pool_backward(AveragePoolBackward<float>{.shape = kShape, .dy = dy, .dx = dx, .write = Write::add}, {});
    global_average_pool_forward(
        GlobalAveragePoolForward<float>{.images = 40, .pixels = 72, .channels = 17, .x = x, .y = mean}, {});
    for (const Floats& more : {dx, mean}) y.insert(y.end(), more.begin(), more.end());
    return y;
  });
}

TEST_F(Threads, GiveTheSameScanLoss) {
  constexpr int64_t kHeads = 3, kRows = 1500, kClasses = 11;
  const Floats a = normal(kHeads * kRows * kClasses, {1}), b = normal(kHeads * kRows * kClasses, {2});
  expect_same_bits([&] {
    Floats loss(kHeads), consistency(kHeads), entropy(kHeads), da(a.size()), db(a.size());
    const Floats dloss(kHeads, 1.f);
    HostMatrix<float> pbar(kHeads, kClasses);
    scan_loss_forward(ScanLossForward<float>{.anchors = a.data(),
                                             .neighbours = b.data(),
                                             .heads = kHeads,
                                             .rows = kRows,
                                             .classes = kClasses,
                                             .lambda = 5.f,
                                             .loss = loss,
                                             .consistency = consistency,
                                             .entropy = entropy,
                                             .pbar = pbar.view()},
                      {});
    scan_loss_backward(ScanLossBackward<float>{.anchors = a.data(),
                                               .neighbours = b.data(),
                                               .heads = kHeads,
                                               .rows = kRows,
                                               .classes = kClasses,
                                               .lambda = 5.f,
                                               .pbar = std::as_const(pbar).view(),
                                               .dloss = dloss,
                                               .danchors = da.data(),
                                               .dneighbours = db.data()},
                       {});
    for (const Floats& more : {consistency, entropy, da, db}) loss.insert(loss.end(), more.begin(), more.end());
    return loss;
  });
}

TEST_F(Threads, GiveTheSameTemiLoss) {
  const TemiProblem<float> p = draw_temi(3, 1500, 11, 1.f);
  expect_same_bits([&] {
    TemiResult<float> r(p);
    temi_teacher(teacher_pass(p, r), {});
    temi_loss_forward(forward_pass(p, r), {});
    temi_loss_backward(backward_pass(p, r), {});
    for (const Floats& more : {r.weight, r.prior.values, r.log_mass, r.dstudent})
      r.loss.insert(r.loss.end(), more.begin(), more.end());
    return r.loss;
  });
}

TEST_F(Threads, GiveTheSameLossesOfLabels) {
  constexpr int64_t kRows = 4000, kClasses = 10;
  const HostMatrix<float> weak = normal_rows(kRows, kClasses, {1}, 4.f), strong = normal_rows(kRows, kClasses, {2});
  expect_same_bits([&] {
    std::vector<int32_t> target(kRows), kept(1);
    Floats weight(kRows), loss(1), each(kRows);
    const Floats dloss(kRows, 0.25f);
    HostMatrix<float> d(kRows, kClasses);
    selflabel_loss_forward(SelflabelLossForward<float>{.weak = weak.view(),
                                                       .strong = strong.view(),
                                                       .threshold = 0.9f,
                                                       .target = target,
                                                       .weight = weight,
                                                       .loss = loss,
                                                       .kept = kept},
                           {});
    selflabel_loss_backward(SelflabelLossBackward<float>{.strong = strong.view(),
                                                         .target = target,
                                                         .weight = weight,
                                                         .dloss = std::span(dloss).first(1),
                                                         .dstrong = d.view()},
                            {});
    for (int32_t& t : target) t = std::max(t, 0);
    softmax_xent_forward(SoftmaxXentForward<float>{.logits = strong.view(), .labels = target, .loss = each}, {});
    softmax_xent_backward(
        SoftmaxXentBackward<float>{
            .logits = strong.view(), .labels = target, .dloss = dloss, .dlogits = d.view(), .write = Write::add},
        {});
    EXPECT_GT(kept[0], 100);
    for (const Floats& more : {weight, each, d.values}) loss.insert(loss.end(), more.begin(), more.end());
    return loss;
  });
}

}  // namespace
}  // namespace kith::test
