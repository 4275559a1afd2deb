#include "kernels/temi_loss.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <tuple>
#include <vector>

#include "tests/kernels/temi_loss_problem.h"
#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class TemiLossCuda : public CudaKernel {
 protected:
  // The gradient overwrites and is added to: `dstudent` is of the first, and must be exactly half of what follows.
  TemiResult<float> run(const TemiProblem<float>& p) {
    TemiResult<float> r(p);
    const OnDevice<float> student(p.student), teacher(p.teacher), dloss(p.dloss), prior(p.prior),
        teacher_log_sum(r.teacher_log_sum), weight(r.weight), loss(r.loss), log_sum(r.log_sum), log_mass(r.log_mass),
        dstudent(r.dstudent);
    TemiTeacher<float> first = teacher_pass(p, r);
    first.teacher.data = teacher.data(), first.prior = prior.matrix();
    first.log_sum = teacher_log_sum.span(), first.weight = weight.span();
    TemiLossForward<float> forward = forward_pass(p, r);
    forward.student.data = student.data(), forward.teacher.data = teacher.data(), forward.prior = prior.matrix();
    forward.teacher_log_sum = teacher_log_sum.span(), forward.weight = weight.span(), forward.loss = loss.span();
    forward.log_sum = log_sum.span(), forward.log_mass = log_mass.span();
    TemiLossBackward<float> backward = backward_pass(p, r);
    backward.student.data = student.data(), backward.teacher.data = teacher.data(), backward.prior = prior.matrix();
    backward.weight = weight.span(), backward.log_sum = log_sum.span(), backward.log_mass = log_mass.span();
    backward.dloss = dloss.span(), backward.dstudent.data = dstudent.data();
    cuda::temi_teacher(first, queue), cuda::temi_loss_forward(forward, queue);
    cuda::temi_loss_backward(backward, queue);
    r.dstudent = dstudent.host();
    backward.write = Write::add;
    cuda::temi_loss_backward(backward, queue);
    const std::vector<float> twice = dstudent.host();
    for (size_t i = 0; i < twice.size(); ++i)
      EXPECT_TRUE(twice[i] == 2 * r.dstudent[i] || std::isnan(r.dstudent[i])) << i;
    r.teacher_log_sum = teacher_log_sum.host(), r.weight = weight.host(), r.loss = loss.host();
    r.log_sum = log_sum.host(), r.log_mass = log_mass.host(), r.prior.values = prior.host();
    return r;
  }
};

TEST_F(TemiLossCuda, MatchesTheOracle) {
  // Rows around a block's 64, and 33 blocks; classes around what 4, 8, 16 and 32 lanes hold, and where the threads of a block
  // are one, two and many groups: 256, 128.
  for (const auto& [heads, rows, classes] : {std::tuple{1, 1, 2},
                                             {2, 7, 31},
                                             {2, 64, 10},
                                             {2, 65, 33},
                                             {1, 5, 128},
                                             {1, 5, 129},
                                             {1, 3, 256},
                                             {1, 2, 257},
                                             {3, 130, 3},
                                             {2, 66, 16},
                                             {1, 31, 17},
                                             {1, 17, 65},
                                             {1, 2049, 2},
                                             {1, 2, 600}}) {
    const TemiProblem<float> p = draw_temi(heads, rows, classes, 1.f);
    expect_temi(p, run(p));
  }
}

TEST_F(TemiLossCuda, SaturatedLogits) {
  TemiProblem<float> p = draw_temi(2, 33, 10, 1.f);
  for (float& x : p.student) x = std::copysign(80.f, x);
  for (float& x : p.teacher) x = std::copysign(80.f, x);
  expect_temi(p, run(p));
}

TEST_F(TemiLossCuda, OptionsAndAnEmptyClass) {
  TemiProblem<float> p = draw_temi(2, 20, 5, 1.f);
  p.student_temperature = 0.5f, p.teacher_temperature = 0.07f, p.beta = 1.f, p.momentum = 1.f;
  for (int64_t h = 0; h < 2; ++h) p.prior.view().row(h)[3] = h == 0 ? 0.f : 0x1p-140f;
  expect_temi(p, run(p));
  p.momentum = 0.f;
  std::ranges::fill(p.prior.values, 7.f);
  expect_temi(p, run(p));
}

TEST_F(TemiLossCuda, TheSameBitsInEveryRun) {
  const TemiProblem<float> p = draw_temi(2, 70, 10, 1.f);
  const TemiResult<float> once = run(p), again = run(p);
  EXPECT_EQ(once.loss, again.loss);
  EXPECT_EQ(once.prior.values, again.prior.values);
  EXPECT_EQ(once.dstudent, again.dstudent);
}

// Heads side by side in the rows of one product.
TEST_F(TemiLossCuda, HeadsSideBySide) {
  const TemiProblem<float> p = draw_temi(3, 9, 10, 1.f);
  const TemiResult<float> want = run(p);
  TemiResult<float> r(p);
  const int64_t width = p.heads * p.classes;
  const auto place = [&](auto* data) {
    return TemiLogits{.data = data, .view = p.rows * width, .head = p.classes, .row = width};
  };
  const auto moved = [&](const std::vector<float>& from) {
    std::vector<float> to(from.size());
    for (int64_t v = 0; v < 2; ++v)
      for (int64_t h = 0; h < p.heads; ++h)
        for (int64_t i = 0; i < p.rows; ++i)
          std::copy_n(p.logits(from.data()).at(v, h, i), p.classes, place(to.data()).at(v, h, i));
    return to;
  };
  const OnDevice<float> student(moved(p.student)), teacher(moved(p.teacher)), dloss(p.dloss), prior(want.prior),
      teacher_log_sum(want.teacher_log_sum), weight(want.weight), loss(r.loss), log_sum(r.log_sum),
      log_mass(r.log_mass), dstudent(r.dstudent);
  TemiLossForward<float> forward = forward_pass(p, r);
  const float *of_student = student.data(), *of_teacher = teacher.data();
  forward.student = place(of_student), forward.teacher = place(of_teacher);
  forward.prior = prior.matrix(), forward.teacher_log_sum = teacher_log_sum.span(), forward.weight = weight.span();
  forward.loss = loss.span(), forward.log_sum = log_sum.span(), forward.log_mass = log_mass.span();
  TemiLossBackward<float> backward = backward_pass(p, r);
  backward.student = forward.student, backward.teacher = forward.teacher, backward.prior = prior.matrix();
  backward.weight = weight.span(), backward.log_sum = log_sum.span(), backward.log_mass = log_mass.span();
  backward.dloss = dloss.span(), backward.dstudent = place(dstudent.data());
  const OnDevice<float> moved_prior(p.prior), own_sums(r.teacher_log_sum), own_weight(r.weight);
  TemiTeacher<float> first = teacher_pass(p, r);
  first.teacher = place(of_teacher), first.prior = moved_prior.matrix();
  first.log_sum = own_sums.span(), first.weight = own_weight.span();
  cuda::temi_teacher(first, queue);
  EXPECT_EQ(moved_prior.host(), want.prior.values);
  EXPECT_EQ(own_sums.host(), want.teacher_log_sum);
  EXPECT_EQ(own_weight.host(), want.weight);
  cuda::temi_loss_forward(forward, queue), cuda::temi_loss_backward(backward, queue);
  EXPECT_EQ(loss.host(), want.loss);
  EXPECT_EQ(dstudent.host(), moved(want.dstudent));
}

TEST_F(TemiLossCuda, NanReachesWhatTheContractSays) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const int64_t view : {0, 1}) {
    TemiProblem<float> p = draw_temi(2, 20, 5, 0.3f);
    const int64_t bad = (view * p.heads * p.rows + 17) * p.classes;  // head 0, row 17
    p.student[static_cast<size_t>(bad + 2)] = nan;
    const TemiResult<float> r = run(p);
    EXPECT_TRUE(std::isnan(r.loss[0]));
    EXPECT_FALSE(std::isnan(r.loss[1]));
    for (int64_t j = 0; j < std::ssize(r.dstudent); ++j)
      EXPECT_EQ(std::isnan(r.dstudent[static_cast<size_t>(j)]), j >= bad && j < bad + p.classes) << j;
  }
  TemiProblem<float> of_teacher = draw_temi(2, 20, 5, 0.3f);
  of_teacher.teacher[7] = nan;  // view 0, head 0, row 1
  const TemiResult<float> t = run(of_teacher);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(std::isnan(t.weight[i]), i == 1) << i;
  for (size_t c = 0; c < 10; ++c) EXPECT_EQ(std::isnan(t.prior.values[c]), c < 5) << c;
  EXPECT_TRUE(std::isnan(t.loss[0]) && std::isnan(t.loss[1]));
}

}  // namespace
}  // namespace kith::test
