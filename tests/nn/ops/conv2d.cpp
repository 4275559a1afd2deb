#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "nn/device/onednn/conv.h"
#include "nn/ops/ops.h"
#include "tests/nn/ops/conv_reference.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using test::close;
using test::conv_terms;
using test::kUnit;
using test::normal_tensor;
using test::Seed;

using Reference = test::ConvReference;

Reference reference(const ConvShape& s, const Tensor& x, const Tensor& w, const Tensor& dy) {
  return test::conv_reference(s, x.span(), w.span(), dy.span());
}

// Every version of oneDNN that kith is built with (nn/device/onednn/versions.h) is held to the same reference and the same tolerance;
// two versions therefore differ by twice the tolerance at most.
//
// A sum of `terms` products of unit normals: partial sums grow as sqrt(k), each addition rounds by u of that, independent
// roundings add in squares: u terms / sqrt 2. Factor 4 in hand; Winograd's transforms (entries up to 8, condition number
// of F(4, 3) about 20 in each of two directions, Barabasz et al. 2020) cost up to two digits more.
test::Tolerance tolerance(int64_t terms, ConvForm form) {
  const double factor = form == ConvForm::winograd ? 100 : 4;
  return {.abs = factor * kUnit * static_cast<double>(terms), .rel = 2 * kUnit};
}

const ConvShape kShapes[] = {
    {1, 1, 1, 1, 1, 1, 1, 0},     {2, 5, 4, 3, 16, 3, 1, 1},    {2, 5, 6, 1, 17, 3, 1, 1},
    {1, 7, 8, 17, 3, 3, 2, 1},    {3, 8, 7, 16, 16, 3, 1, 1},   {2, 9, 9, 16, 32, 3, 2, 1},
    {2, 8, 8, 16, 32, 1, 2, 0},   {2, 7, 6, 17, 5, 1, 1, 0},    {1, 11, 12, 3, 16, 7, 2, 3},
    {1, 9, 8, 1, 3, 7, 1, 3},     {2, 6, 5, 3, 4, 3, 1, 0},     {1, 8, 8, 5, 7, 3, 2, 2},
    {1, 14, 14, 1, 16, 3, 1, 1},  {2, 8, 8, 64, 64, 3, 1, 1},   {2, 4, 4, 128, 128, 3, 1, 1},
    {2, 4, 4, 128, 64, 1, 2, 0},  {1, 32, 32, 32, 32, 3, 1, 1}, {3, 2, 2, 128, 128, 3, 1, 1},
    {2, 16, 16, 3, 16, 3, 1, 1},  {2, 7, 7, 64, 128, 3, 2, 1},  {20, 8, 8, 4, 8, 1, 2, 0},
    {1, 4, 4, 512, 512, 3, 1, 1}, {1, 8, 8, 256, 512, 3, 2, 1},
};

TEST(conv2d, matches_plain_loops_and_accumulates) {
  Context ctx({.threads = 2});
  for (const ConvShape& s : kShapes) {
    SCOPED_TRACE(testing::Message() << s.images << "x" << s.height << "x" << s.width << "x" << s.in << " -> " << s.out
                                    << " k" << s.kernel << " s" << s.stride << " p" << s.padding);
    Parameter w{.value = normal_tensor(ctx, {s.out, s.kernel, s.kernel, s.in}, Seed{1}), .grad = {}};
    Tensor x = normal_tensor(ctx, {s.images, s.height, s.width, s.in}, Seed{2});
    Tensor dy = normal_tensor(ctx, {s.images, s.out_height(), s.out_width(), s.out}, Seed{3});
    Reference want = reference(s, x, w.value, dy);
    for (const double times : {1.0, 2.0}) {  // the second pass adds to the weight's gradient
      Tape tape(ctx);
      Var xv = tape.leaf(x);
      Var y = conv2d(tape, xv, tape.parameter(w), {.kernel = s.kernel, .stride = s.stride, .padding = s.padding});
      tape.backward({{y, dy}});
      const auto tol = [&](Pass pass) { return tolerance(conv_terms(s, pass), conv_form(s, pass)); };
      EXPECT_TRUE(close(y.value().to_host(), want.y, tol(Pass::forward)));
      EXPECT_TRUE(close(tape.grad(xv).to_host(), want.dx, tol(Pass::backward_data)));
      std::vector<double> dw = want.dw;
      for (double& v : dw) v *= times;
      test::Tolerance dw_tol = tol(Pass::backward_weights);
      dw_tol.abs *= times;
      EXPECT_TRUE(close(w.grad.to_host(), dw, dw_tol));
    }
  }
}

TEST(conv2d, every_form_that_is_offered_agrees) {
  Context ctx({.threads = 2});
  OneDnn dnn(ctx);
  const ConvShape s{2, 12, 12, 64, 64, 3, 1, 1};
  Tensor w = normal_tensor(ctx, {s.out, 3, 3, s.in}, Seed{1}), x = normal_tensor(ctx, {2, 12, 12, s.in}, Seed{2});
  Tensor dy = normal_tensor(ctx, {2, 12, 12, s.out}, Seed{3});
  const Reference want = reference(s, x, w, dy);
  int run = 0;
  for (const ConvForm form : {ConvForm::nhwc, ConvForm::blocked, ConvForm::winograd})
    for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
      const auto& expected = pass == Pass::forward ? want.y : pass == Pass::backward_data ? want.dx : want.dw;
      Tensor out = ctx.zeros({static_cast<int64_t>(expected.size())});
      try {
        const Plan& plan = conv_plan(dnn, s, pass, form);
        const float* first = pass == Pass::backward_weights || pass == Pass::forward ? x.data() : dy.data();
        const float* second = pass == Pass::backward_weights ? dy.data() : w.data();
        run_plan(dnn, plan, {.first = first, .second = second, .out = out.data()});
      } catch (const Error&) {
        EXPECT_EQ(form, ConvForm::winograd);  // offered on AVX-512 machines only, and not for every pass
        continue;
      }
      ++run;
      EXPECT_TRUE(close(out.to_host(), expected, tolerance(conv_terms(s, pass), form)))
          << "form " << static_cast<int>(form) << " pass " << static_cast<int>(pass);
    }
  EXPECT_GE(run, 6);
}

// A form that the version at hand lacks would run as NHWC, and nobody would know.
TEST(conv2d, the_chosen_form_is_offered) {
  Context ctx({.threads = 2});
  OneDnn dnn(ctx);
  for (const int64_t width : {16, 64})
    for (int64_t stage = 0; stage < 4; ++stage) {
      const int64_t out = width << stage, in = std::max(width, out / 2), side = 32 >> stage;
      for (const ConvShape& s :
           {ConvShape{2, side, side, out, out, 3, 1, 1}, ConvShape{2, 2 * side, 2 * side, in, out, 3, 2, 1},
            ConvShape{2, 2 * side, 2 * side, in, out, 1, 2, 0}, ConvShape{2, side, side, 3, out, 3, 1, 1}})
        for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights})
          EXPECT_NO_THROW(conv_plan(dnn, s, pass, conv_form(s, pass)))
              << to_string(s) << ", pass " << static_cast<int>(pass);
    }
}

// oneDNN asks for scratch memory that each thread has its part of; a kernel that writes past the last part spoils whatever
// lies there.
TEST(conv2d, few_channels_keep_to_their_scratch_memory) {
  constexpr size_t kMargin = 1 << 18;  // floats, more than any part
  for (const int threads : {1, 3}) {
    Context ctx({.threads = threads});
    OneDnn dnn(ctx);
    dnnl::stream stream(dnn.engine);
    for (const int64_t in : {1, 4, 8, 15, 16})
      for (const int stride : {1, 2})
        for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
          const ConvShape s{40, 16, 16, in, 2 * in, 1, stride, 0};
          const Plan& plan = conv_plan(dnn, s, pass, conv_form(s, pass));
          std::unordered_map<int, dnnl::memory> arguments;
          for (const Operand& o : plan.operands)
            arguments.emplace(o.argument, dnnl::memory(o.wanted, dnn.engine));  // oneDNN's own memory
          const size_t size = plan.scratchpad.get_size() / sizeof(float);
          const Tensor scratch = ctx.zeros({static_cast<int64_t>(size + 2 * kMargin)});
          arguments.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(plan.scratchpad, dnn.engine, scratch.data() + kMargin));
          for (const auto& [argument, memory] : arguments)
            if (argument != DNNL_ARG_SCRATCHPAD)
              std::fill_n(static_cast<float*>(memory.get_data_handle()), memory.get_desc().get_size() / sizeof(float),
                          1.f);
          plan.primitive.execute(stream, arguments);
          const std::span<const float> all = scratch.span();
          const auto zero = [](float v) { return v == 0; };
          EXPECT_TRUE(std::ranges::all_of(all.first(kMargin), zero) && std::ranges::all_of(all.last(kMargin), zero))
              << to_string(s) << ", pass " << static_cast<int>(pass) << ", " << threads << " threads";
        }
  }
}

TEST(conv2d, runs_are_bit_equal) {
  Context ctx({.threads = 2});
  const auto run = [&](int64_t channels, int stride) {
    Tape tape(ctx);
    Var x = tape.leaf(normal_tensor(ctx, {8, 16, 16, channels}, Seed{1}));
    Var w = tape.leaf(normal_tensor(ctx, {channels, 3, 3, channels}, Seed{2}));
    Var y = conv2d(tape, x, w, {.stride = stride});
    return test::gradients(tape, y, normal_tensor(ctx, y.value().shape(), Seed{3}), {x, w});
  };
  for (const int64_t channels : {16, 32, 64})
    for (const int stride : {1, 2})
      EXPECT_EQ(run(channels, stride), run(channels, stride)) << channels << " " << stride;
}

// Shapes of ResNet-18 in every form that conv_form takes, in blocks and whole, with a last block of fewer images.
TEST(conv2d, bits_do_not_depend_on_the_number_of_threads) {
  constexpr ConvShape kOfResNet[] = {
      {67, 12, 12, 3, 16, 3, 1, 1},  {67, 12, 12, 16, 16, 3, 1, 1}, {66, 12, 12, 16, 32, 3, 2, 1},
      {66, 12, 12, 16, 32, 1, 2, 0}, {65, 7, 7, 32, 32, 3, 1, 1},   {130, 8, 8, 64, 64, 3, 1, 1},
      {65, 4, 4, 128, 128, 3, 1, 1}, {65, 8, 8, 64, 128, 3, 2, 1},  {64, 8, 8, 256, 256, 3, 1, 1},
      {33, 8, 8, 256, 512, 1, 2, 0}, {32, 4, 4, 512, 512, 3, 1, 1}, {3, 8, 8, 4, 4, 3, 1, 1},
      {1, 8, 8, 17, 5, 3, 1, 1}};
  const auto run = [](const ConvShape& s, DType dtype, int threads, Pass pass) {
    Context ctx({.threads = threads});
    const auto tensor = [&](Shape shape, DType type, Seed seed) {
      const Tensor t = ctx.empty(std::move(shape), type);
      t.copy_from(test::normal(t.size(), seed));
      return t;
    };
    const bool weights = pass == Pass::backward_weights;
    const Tensor x = tensor({s.images, s.height, s.width, s.in}, dtype, Seed{1});
    const Tensor w = tensor({s.out, s.kernel, s.kernel, s.in}, weights ? DType::f32 : dtype, Seed{2});
    const Tensor y = tensor({s.images, s.out_height(), s.out_width(), s.out}, dtype, Seed{3});
    DenseMath& math = ctx.math();
    if (pass == Pass::forward) return math.conv_forward(s, dtype, x.raw(), w.raw(), y.raw()), y.to_host();
    if (weights) return math.conv_backward_weights(s, dtype, x.raw(), y.raw(), w.data(), Write::add), w.to_host();
    return math.conv_backward_data(s, dtype, y.raw(), w.raw(), x.raw(), Write::add), x.to_host();
  };
  for (const ConvShape& s : kOfResNet)
    for (const DType dtype : {DType::f32, DType::bf16})
      for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
        const std::vector<float> one = run(s, dtype, 1, pass);
        for (const int threads : {2, 3, 4})
          EXPECT_TRUE(run(s, dtype, threads, pass) == one) << to_string(s) << ", " << name_of(dtype) << ", pass "
                                                           << static_cast<int>(pass) << ", " << threads << " threads";
      }
}

TEST(conv2d, an_input_without_gradient_gets_none) {
  Context ctx;
  Parameter w{.value = normal_tensor(ctx, {4, 3, 3, 2}, Seed{1}), .grad = {}};
  Tape tape(ctx);
  Var x = tape.constant(normal_tensor(ctx, {1, 4, 4, 2}, Seed{2}));
  tape.backward(sum(tape, conv2d(tape, x, tape.parameter(w), {})));
  EXPECT_FALSE(w.grad.empty());
}

TEST(conv2d, shapes_that_do_not_fit_are_errors) {
  Context ctx;
  Tape tape(ctx);
  const auto run = [&](Shape x, Shape w, ConvSpec spec) {
    conv2d(tape, tape.constant(ctx.zeros(std::move(x))), tape.constant(ctx.zeros(std::move(w))), spec);
  };
  EXPECT_NO_THROW(run({1, 4, 4, 2}, {3, 3, 3, 2}, {}));
  EXPECT_THROW(run({4, 4, 2}, {3, 3, 3, 2}, {}), Error);                 // not images
  EXPECT_THROW(run({1, 4, 4, 3}, {3, 3, 3, 2}, {}), Error);              // channels
  EXPECT_THROW(run({1, 4, 4, 2}, {3, 1, 1, 2}, {}), Error);              // kernel
  EXPECT_THROW(run({1, 2, 2, 2}, {3, 3, 3, 2}, {.padding = 0}), Error);  // kernel larger than the image
  EXPECT_THROW(run({0, 4, 4, 2}, {3, 3, 3, 2}, {}), Error);              // no images
  EXPECT_THROW(run({1, 4, 4, 2}, {3, 3, 3, 2}, {.stride = 0}), Error);
}

}  // namespace
}  // namespace kith
