// DenseMath against plain loops: the CPU's, and that of a CUDA device where there is one (the SIMT runner's in simt_math_tests).
#include "nn/device/dense_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/device/onednn/conv.h"
#include "nn/tensor/context.h"
#include "tests/nn/ops/conv_reference.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using test::close;
using test::conv_reference;
using test::conv_terms;
using test::kUnit;
using test::normal;
using test::Seed;
using test::Tolerance;

constexpr double kHalfUnit = 0x1p-8;  // bf16's unit roundoff

class DenseMathTest : public testing::TestWithParam<Device> {
 protected:
  void SetUp() override {
    ContextOptions options{.device = GetParam(), .threads = 2};
    if (GetParam() == Device::cuda) {
      const DeviceChoice choice = select_device({}, list_devices());
      if (choice.device == Device::cpu) GTEST_SKIP() << choice.reason;
      options.index = choice.index;
    }
    ctx_ = std::make_unique<Context>(options);
  }
  // The numbers as a tensor of that type, and as the device sees them.
  Tensor tensor(Shape shape, DType dtype, Seed seed, std::vector<float>* seen = nullptr) {
    Tensor t = ctx_->empty(std::move(shape), dtype);
    t.copy_from(normal(t.size(), seed));
    if (seen != nullptr) *seen = t.to_host();
    return t;
  }
  std::unique_ptr<Context> ctx_;
};

INSTANTIATE_TEST_SUITE_P(Each, DenseMathTest, testing::Values(Device::cpu, Device::cuda),
                         [](const auto& info) { return info.param == Device::cpu ? "cpu" : "cuda"; });

// Of a sum of `terms` products of unit normals in f32, as in tests/nn/ops/conv2d.cpp; Winograd's transforms are allowed.
Tolerance sum_tolerance(int64_t terms, DType dtype) {
  return {.abs = 100 * kUnit * static_cast<double>(terms), .rel = dtype == DType::bf16 ? kHalfUnit : 2 * kUnit};
}

// In tiles both transformed operands are rounded; the rms error is the contract's (kernels/winograd_bf16.h) of a sum of unit
// normals, and at most sqrt 8 r in a corner of the weights. The largest of 1e5 results is within 6 of it.
Tolerance conv_tolerance(const ConvShape& s, Pass pass, DType dtype, bool on_cpu) {
#ifdef KITH_SIMT
  on_cpu = true;  // whose DenseMath stands in for the card's
#endif
  const int64_t terms = conv_terms(s, pass);
  Tolerance t = sum_tolerance(terms, dtype);
  const double roundings = pass == Pass::backward_weights ? 8 : 50. / 9;
  if (on_cpu && dtype == DType::bf16 && conv_in_tiles(s))
    t.abs += 6 * std::sqrt(roundings * static_cast<double>(terms)) * kHalfUnit / std::sqrt(3.);
  return t;
}

std::vector<double> plus(std::vector<double> a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

double largest(const std::vector<double>& v) {
  double most = 0;
  for (const double x : v) most = std::max(most, std::abs(x));
  return most;
}

// Smallest, odd, the stem, strides, 1x1, channels of whole tensor-core tiles, sums long enough to be split.
const ConvShape kShapes[] = {{1, 1, 1, 1, 1, 1, 1, 0},    {2, 5, 4, 3, 17, 3, 1, 1},  {3, 8, 7, 16, 16, 3, 1, 1},
                             {2, 9, 9, 16, 32, 3, 2, 1},  {2, 8, 8, 16, 32, 1, 2, 0}, {1, 11, 12, 3, 16, 7, 2, 3},
                             {4, 16, 16, 3, 64, 3, 1, 1}, {9, 8, 8, 64, 64, 3, 1, 1}, {2, 4, 4, 128, 256, 3, 2, 1},
                             {2, 7, 5, 64, 32, 3, 1, 1}};

TEST_P(DenseMathTest, ConvolutionsMatchPlainLoops) {
  for (const ConvShape& s : kShapes)
    for (const DType dtype : {DType::f32, DType::bf16}) {
      SCOPED_TRACE(to_string(s) + (dtype == DType::bf16 ? ", bf16" : ", f32"));
      DenseMath& math = ctx_->math();
      std::vector<float> xs, ws, dys;
      const Tensor x = tensor({s.images, s.height, s.width, s.in}, dtype, Seed{1}, &xs);
      const Tensor w = tensor({s.out, s.kernel, s.kernel, s.in}, dtype, Seed{2}, &ws);
      const Tensor dy = tensor({s.images, s.out_height(), s.out_width(), s.out}, dtype, Seed{3}, &dys);
      const test::ConvReference want = conv_reference(s, xs, ws, dys);
      std::vector<float> dx_before, dw_before;
      const Tensor y = tensor(dy.shape(), dtype, Seed{4});
      const Tensor dx = tensor(x.shape(), dtype, Seed{5}, &dx_before);
      const Tensor dw = tensor(w.shape(), DType::f32, Seed{6}, &dw_before);

      math.conv_forward(s, dtype, x.raw(), w.raw(), y.raw());
      EXPECT_TRUE(close(y.to_host(), want.y, conv_tolerance(s, Pass::forward, dtype, ctx_->on_cpu())));
      const Tolerance data = conv_tolerance(s, Pass::backward_data, dtype, ctx_->on_cpu());
      // Some of cuDNN's engines round the gradient to bf16 before it is added: by its own size.
      const Tolerance added{.abs = data.abs + (dtype == DType::bf16 ? data.rel * largest(want.dx) : 0),
                            .rel = data.rel};
      math.conv_backward_data(s, dtype, dy.raw(), w.raw(), dx.raw(), Write::add);
      EXPECT_TRUE(close(dx.to_host(), plus(want.dx, dx_before), added));
      math.conv_backward_data(s, dtype, dy.raw(), w.raw(), dx.raw(), Write::overwrite);
      EXPECT_TRUE(close(dx.to_host(), want.dx, data));
      // The bf16 gradient is rounded before it is added, so by its own size.
      Tolerance weights = conv_tolerance(s, Pass::backward_weights, dtype, ctx_->on_cpu());
      math.conv_backward_weights(s, dtype, x.raw(), dy.raw(), dw.data(), Write::overwrite);
      EXPECT_TRUE(close(dw.to_host(), want.dw, weights));
      const std::vector<float> once = dw.to_host();
      math.conv_backward_weights(s, dtype, x.raw(), dy.raw(), dw.data(), Write::add);
      weights.abs += weights.rel * largest(want.dw);
      EXPECT_TRUE(close(dw.to_host(), plus(want.dw, once), weights));
    }
}

TEST_P(DenseMathTest, LinearLayersMatchPlainLoops) {
  for (const LinearShape& s : {LinearShape{1, 1, 1}, LinearShape{5, 7, 3}, LinearShape{33, 31, 30},
                               LinearShape{512, 128, 64}, LinearShape{257, 512, 100}}) {
    SCOPED_TRACE(testing::Message() << s.rows << " x " << s.in << " -> " << s.out);
    DenseMath& math = ctx_->math();
    std::vector<float> x, w, bias, dy, dx_before, dw_before;
    const Tensor tx = tensor({s.rows, s.in}, DType::f32, Seed{1}, &x),
                 tw = tensor({s.out, s.in}, DType::f32, Seed{2}, &w);
    const Tensor tb = tensor({s.out}, DType::f32, Seed{3}, &bias),
                 tdy = tensor({s.rows, s.out}, DType::f32, Seed{4}, &dy);
    const Tensor y = tensor(tdy.shape(), DType::f32, Seed{5});
    const Tensor dx = tensor(tx.shape(), DType::f32, Seed{6}, &dx_before),
                 dw = tensor(tw.shape(), DType::f32, Seed{7}, &dw_before);
    std::vector<double> plain(dy.size()), want_dx(x.size()), want_dw(w.size());
    for (int64_t r = 0; r < s.rows; ++r)
      for (int64_t o = 0; o < s.out; ++o)
        for (int64_t i = 0; i < s.in; ++i) {
          const int64_t at_y = r * s.out + o, at_w = o * s.in + i, at_x = r * s.in + i;
          plain[at_y] += double{x[at_x]} * w[at_w];
          want_dx[at_x] += double{dy[at_y]} * w[at_w];
          want_dw[at_w] += double{dy[at_y]} * x[at_x];
        }
    std::vector<double> biased = plain;
    for (size_t i = 0; i < biased.size(); ++i) biased[i] += bias[i % static_cast<size_t>(s.out)];
    const Tolerance forward = sum_tolerance(s.in + 1, DType::f32);
    math.linear_forward(s, tx.data(), tw.data(), nullptr, y.data());
    EXPECT_TRUE(close(y.to_host(), plain, forward));
    math.linear_forward(s, tx.data(), tw.data(), tb.data(), y.data());
    EXPECT_TRUE(close(y.to_host(), biased, forward));
    const Tolerance data = sum_tolerance(s.out + 1, DType::f32), weights = sum_tolerance(s.rows + 1, DType::f32);
    math.linear_backward_data(s, tdy.data(), tw.data(), dx.data(), Write::add);
    EXPECT_TRUE(close(dx.to_host(), plus(want_dx, dx_before), data));
    math.linear_backward_data(s, tdy.data(), tw.data(), dx.data(), Write::overwrite);
    EXPECT_TRUE(close(dx.to_host(), want_dx, data));
    math.linear_backward_weights(s, tx.data(), tdy.data(), dw.data(), Write::add);
    EXPECT_TRUE(close(dw.to_host(), plus(want_dw, dw_before), weights));
    math.linear_backward_weights(s, tx.data(), tdy.data(), dw.data(), Write::overwrite);
    EXPECT_TRUE(close(dw.to_host(), want_dw, weights));
  }
}

// A step of one convolution and one layer: what the captured graph does is what the calls did, and nothing grows.
TEST_P(DenseMathTest, ACapturedStepGivesTheSameBits) {
  if (ctx_->on_cpu()) GTEST_SKIP() << "the CPU captures nothing";
  const ConvShape s{4, 8, 8, 32, 64, 3, 1, 1};
  const LinearShape l{.rows = 4, .in = 4096, .out = 10};
  DenseMath& math = ctx_->math();
  const Tensor x = tensor({4, 8, 8, 32}, DType::bf16, Seed{1}), w = tensor({64, 3, 3, 32}, DType::bf16, Seed{2});
  const Tensor y = ctx_->empty({4, 8, 8, 64}, DType::bf16), dx = ctx_->empty({4, 8, 8, 32}, DType::bf16);
  const Tensor dw = ctx_->empty({64, 3, 3, 32});
  const Tensor features = tensor({4, 4096}, DType::f32, Seed{3}), lw = tensor({10, 4096}, DType::f32, Seed{4});
  const Tensor logits = ctx_->empty({4, 10});
  const auto step = [&] {
    math.conv_forward(s, DType::bf16, x.raw(), w.raw(), y.raw());
    math.conv_backward_data(s, DType::bf16, y.raw(), w.raw(), dx.raw(), Write::overwrite);
    math.conv_backward_data(s, DType::bf16, y.raw(), w.raw(), dx.raw(), Write::add);
    math.conv_backward_weights(s, DType::bf16, x.raw(), y.raw(), dw.data(), Write::overwrite);
    math.linear_forward(l, features.data(), lw.data(), nullptr, logits.data());
  };
  const auto results = [&] { return std::vector{y.to_host(), dx.to_host(), dw.to_host(), logits.to_host()}; };
  step();
  const auto eager = results();
  const int64_t workspace = math.workspace_bytes();
  step();
  EXPECT_EQ(results(), eager);
  ctx_->accelerator()->begin_capture();
  step();
  const std::unique_ptr<Graph> graph = ctx_->accelerator()->end_capture();
  for (const Tensor& t : {y, dx, dw, logits}) t.copy_from(std::vector<float>(static_cast<size_t>(t.size()), -1.f));
  for (int i = 0; i < 2; ++i) {
    graph->launch();
    EXPECT_EQ(results(), eager);
  }
  EXPECT_EQ(math.workspace_bytes(), workspace);
}

}  // namespace
}  // namespace kith
