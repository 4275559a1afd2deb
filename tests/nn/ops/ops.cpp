// The operations against PyTorch in float64 (tests/golden/nn.py).
#include "nn/ops/ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "kernels/core/check.h"
#include "tests/nn/support.h"
#include "tests/support/golden.h"

namespace kith {
namespace {

using test::close;
using test::kUnit;

// One case of the file: leaves by name, output and gradients compared.
class Case {
 public:
  explicit Case(std::string name) : name_(std::move(name)), file_(test::golden("nn")), tape_(ctx_) {}

  Tape& tape() { return tape_; }
  Tensor tensor(const std::string& key) {
    const HostArray& a = file_.arrays.at(name_ + "." + key);
    return ctx_.from(a.shape, {a.as<float>(), static_cast<size_t>(a.count())});
  }
  std::span<const int32_t> ints(const std::string& key) { return test::values<int32_t>(file_, name_ + "." + key); }
  Var leaf(const std::string& key) {
    Var v = tape_.leaf(tensor(key));
    leaves_.emplace_back(key, v);
    return v;
  }
  // Every value here is a sum of at most 60 terms of size below 8, with a few elementary functions: 60 u sizes in hand.
  void expect(const Var& y) {
    const test::Tolerance tol{.abs = 64 * kUnit, .rel = 64 * kUnit};
    EXPECT_TRUE(close(y.value().to_host(), tensor("y").to_host(), tol)) << name_;
    tape_.backward({{y, tensor("dy").reshape(y.value().shape())}});
    for (const auto& [key, v] : leaves_)
      EXPECT_TRUE(close(tape_.grad(v).to_host(), tensor("d" + key).to_host(), tol)) << name_ << " d" << key;
  }

 private:
  std::string name_;
  SafeTensors file_;
  Context ctx_;
  Tape tape_;
  std::vector<std::pair<std::string, Var>> leaves_;
};

TEST(ops, pooling) {
  Case stl("max_stl"), imagenet("max_imagenet"), average("average"), global("global_average");
  stl.expect(max_pool(stl.tape(), stl.leaf("x"), {.kernel = 2, .stride = 2, .padding = 1}));
  imagenet.expect(max_pool(imagenet.tape(), imagenet.leaf("x"), {.kernel = 3, .stride = 2, .padding = 1}));
  average.expect(average_pool(average.tape(), average.leaf("x"), {.kernel = 3, .stride = 2, .padding = 1}));
  global.expect(global_average_pool(global.tape(), global.leaf("x")));
}

TEST(ops, linear_and_heads) {
  Case c("linear"), h("heads");
  Var x = c.leaf("x"), w = c.leaf("w");
  c.expect(linear(c.tape(), x, w, c.leaf("b")));
  const std::vector<Var> weights{h.leaf("w0"), h.leaf("w1")}, biases{h.leaf("b0"), h.leaf("b1")};
  h.expect(linear_heads(h.tape(), h.leaf("x"), weights, biases));
}

TEST(ops, row_functions) {
  Case n("normalize"), s("softmax"), l("log_softmax"), x("xent"), c("cosine");
  n.expect(l2_normalize(n.tape(), n.leaf("x")));
  s.expect(softmax(s.tape(), s.leaf("x")));
  l.expect(log_softmax(l.tape(), l.leaf("x")));
  const std::span<const int32_t> labels = x.ints("labels");
  x.expect(softmax_xent(x.tape(), x.leaf("x"), Array<int32_t>(x.tape().context(), labels)));
  c.expect(cosine_loss(c.tape(), c.leaf("x"), c.tensor("t")));
}

TEST(ops, gelu_and_weight_norm) {
  Case g("gelu"), w("weight_norm");
  g.expect(gelu(g.tape(), g.leaf("x")));
  Var v = w.leaf("v");
  w.expect(weight_norm(w.tape(), v, w.leaf("g")));
}

TEST(ops, ntxent_in_both_forms) {
  Case s("ntxent_symmetric"), o("ntxent_one_sided");
  s.expect(ntxent_mean(s.tape(), s.leaf("x"), 0.2f, NtXentForm::symmetric));
  o.expect(ntxent_mean(o.tape(), o.leaf("x"), 0.2f, NtXentForm::one_sided));
}

TEST(ops, scan_loss) {
  Case c("scan");
  Var a = c.leaf("a");
  c.expect(scan_loss(c.tape(), a, c.leaf("n"), 5.f).loss);
  Case same("scan_same");
  Var both = same.leaf("a");
  same.expect(scan_loss(same.tape(), both, both, 5.f).loss);
}

TEST(ops, temi_loss_in_both_layouts) {
  Case c("temi");
  Context& ctx = c.tape().context();
  const auto moved = [&](const Tensor& prior) {
    EXPECT_TRUE(close(prior.to_host(), c.tensor("moved").to_host(), {.rel = 64 * kUnit}));
  };
  Tensor prior = c.tensor("prior");
  const Var student = c.leaf("x");
  const TemiOut out = temi_loss(c.tape(), student, c.tensor("teacher"), prior, {});
  EXPECT_TRUE(close(out.weight.to_host(), c.tensor("weight").to_host(), {.rel = 64 * kUnit}));
  moved(prior);
  prior.copy_from(std::vector<float>(12, 7.f));                       // backward keeps what forward read
  const auto by_head = [&](const std::vector<float>& side_by_side) {  // [10, 3, 4] -> [3, 10, 4]
    std::vector<float> y(side_by_side.size());
    for (size_t r = 0; r < 10; ++r)
      for (size_t h = 0; h < 3; ++h) std::copy_n(&side_by_side[12 * r + 4 * h], 4, &y[40 * h + 4 * r]);
    return ctx.from({3, 10, 4}, y);
  };
  Tape tape(ctx);
  Tensor again = c.tensor("prior");
  const Var x = tape.leaf(by_head(student.value().to_host()));
  const TemiOut split = temi_loss(tape, x, by_head(c.tensor("teacher").to_host()), again, {});
  EXPECT_EQ(split.loss.value().to_host(), out.loss.value().to_host());
  moved(again);
  tape.backward({{split.loss, c.tensor("dy")}});
  c.expect(out.loss);
  EXPECT_EQ(tape.grad(x).to_host(), by_head(c.tape().grad(student).to_host()).to_host());
}

TEST(ops, selflabel_loss) {
  Case c("selflabel");
  const SelflabelOut out = selflabel_loss(c.tape(), c.tensor("weak"), c.leaf("x"), {.threshold = 0.9f});
  const std::span<const int32_t> target = c.ints("target");
  EXPECT_TRUE(close(out.target.to_host(), std::vector<int32_t>(target.begin(), target.end()), {}));
  EXPECT_EQ(out.kept.to_host()[0], std::ranges::count_if(target, [](int32_t t) { return t >= 0; }));
  c.expect(out.loss);
}

TEST(ops, batch_norm_with_and_without_residual) {
  Context ctx;
  BatchNormState state{.running_mean = ctx.zeros({4}), .running_var = ctx.full({4}, 1.f)};
  Case c("norm"), r("norm_relu");
  Var x = c.leaf("x"), residual = c.leaf("r"), g = c.leaf("g");
  c.expect(batch_norm(c.tape(), x, g, c.leaf("b"), state, {.train = true, .relu = true}, residual));
  Var x2 = r.leaf("x"), g2 = r.leaf("g");
  r.expect(batch_norm(r.tape(), x2, g2, r.leaf("b"), state, {.train = true, .relu = true}));
}

TEST(ops, every_operation_adds_to_a_gradient_that_is_there) {
  Context ctx;
  const Tensor w = test::normal_tensor(ctx, {4, 6}, {5}), wide = test::normal_tensor(ctx, {3, 3, 3, 6}, {6});
  const Array<int32_t> labels(ctx, std::vector<int32_t>{0, 1, 2, 3, 4, 5, 0, 1});
  const Tensor targets = test::normal_tensor(ctx, {8, 6}, {5});
  const Array<int32_t> positive(ctx, std::vector<int32_t>{1, 0, 0, 0, 5, 6, 5, 6});
  using Op = std::function<Var(Tape&, Var)>;  // of x [8, 6]
  const auto images = [](Tape& t, Var x) { return reshape(t, x, {2, 2, 2, 6}); };
  const std::vector<std::pair<const char*, Op>> ops{
      {"relu", [](Tape& t, Var x) { return relu(t, x); }},
      {"gelu", [](Tape& t, Var x) { return gelu(t, x); }},
      {"scale", [](Tape& t, Var x) { return scale(t, x, 3.f); }},
      {"linear x", [&](Tape& t, Var x) { return linear(t, x, t.constant(w), {}); }},
      {"linear weight", [&](Tape& t, Var x) { return linear(t, t.constant(w), x, {}); }},
      {"linear bias",
       [&](Tape& t, Var x) {
         Var bias = reshape(t, linear(t, t.constant(ctx.full({1, 8}, 1.f)), reshape(t, x, {6, 8}), {}), {6});
         return linear(t, t.constant(w), t.constant(ctx.full({6, 6}, 1.f)), bias);
       }},
      {"heads",
       [&](Tape& t, Var x) {
         return linear_heads(t, x, std::vector{t.constant(w)}, std::vector{t.constant(ctx.zeros({4}))});
       }},
      {"conv2d", [&](Tape& t, Var x) { return conv2d(t, images(t, x), t.constant(wide), {}); }},
      {"max_pool", [&](Tape& t, Var x) { return max_pool(t, images(t, x), {}); }},
      {"average_pool", [&](Tape& t, Var x) { return average_pool(t, images(t, x), {}); }},
      {"l2_normalize", [](Tape& t, Var x) { return l2_normalize(t, x); }},
      {"weight_norm", [&](Tape& t, Var x) { return weight_norm(t, x, t.constant(ctx.full({8}, 1.5f))); }},
      {"weight_norm gain",
       [&](Tape& t, Var x) {
         return weight_norm(t, t.constant(test::normal_tensor(ctx, {48, 3}, {7})), reshape(t, x, {48}));
       }},
      {"softmax", [](Tape& t, Var x) { return softmax(t, x); }},
      {"log_softmax", [](Tape& t, Var x) { return log_softmax(t, x); }},
      {"mean", [](Tape& t, Var x) { return mean(t, x); }},
      {"ntxent", [](Tape& t, Var x) { return ntxent(t, x, 0.5f); }},
      {"contrastive", [&](Tape& t, Var x) { return contrastive(t, x, x, positive, 0, 0.5f); }},
      {"contrastive keys",
       [&](Tape& t, Var x) {
         return contrastive(t, t.constant(w), x, Array<int32_t>(ctx, std::vector{0, 0, 1, 7}), -1, 0.5f);
       }},
      {"scan_loss",
       [](Tape& t, Var x) {
         return scan_loss(t, reshape(t, x, {2, 4, 6}), reshape(t, x, {2, 4, 6}), 5.f).loss;
       }},
      {"temi_loss",
       [&](Tape& t, Var x) {
         Tensor prior = ctx.full({2, 3}, 1.f / 3);
         return temi_loss(t, x, targets, prior, {.student_temperature = 1.f, .teacher_temperature = 1.f}).loss;
       }},
      {"softmax_xent", [&](Tape& t, Var x) { return softmax_xent(t, x, labels); }},
      {"cosine_loss", [&](Tape& t, Var x) { return cosine_loss(t, x, targets); }},
      {"selflabel_loss", [](Tape& t, Var x) { return selflabel_loss(t, x.value(), x, {.threshold = 0.f}).loss; }},
  };
  for (const auto& [name, op] : ops) {
    const auto run = [&](int times) {
      Tape tape(ctx);
      Var x = tape.leaf(test::normal_tensor(ctx, {8, 6}, {1})), y = op(tape, x);
      if (times == 2) y = add(tape, y, op(tape, x));
      return test::gradients(tape, y, test::normal_tensor(ctx, y.value().shape(), {2}), {x})[0];
    };
    std::vector<float> once = run(1);
    for (float& v : once) v *= 2;
    EXPECT_TRUE(close(run(2), once, {.abs = 16 * kUnit, .rel = 16 * kUnit})) << name;
  }
}

TEST(ops, sums_and_reshape) {
  Context ctx;
  Tape tape(ctx);
  Var x = tape.leaf(ctx.from({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}));
  Var y = mean(tape, reshape(tape, x, {6}));
  EXPECT_EQ(y.value().to_host(), std::vector<float>{3.5f});
  EXPECT_EQ(y.value().shape(), Shape{});
  tape.backward(y);
  EXPECT_EQ(tape.grad(x).to_host(), std::vector<float>(6, 1.f / 6));
  EXPECT_EQ(tape.grad(x).shape(), (Shape{2, 3}));
}

TEST(ops, shapes_that_do_not_fit_are_errors) {
  Context ctx;
  Tape tape(ctx);
  const auto zeros = [&](Shape s) { return tape.constant(ctx.zeros(std::move(s))); };
  EXPECT_THROW(add(tape, zeros({2}), zeros({3})), Error);
  EXPECT_THROW(linear(tape, zeros({2, 3}), zeros({4, 2}), {}), Error);
  EXPECT_THROW(linear(tape, zeros({2, 3}), zeros({4, 3}), zeros({3})), Error);
  EXPECT_THROW(linear_heads(tape, zeros({2, 3}), {}, {}), Error);
  EXPECT_THROW(reshape(tape, zeros({2, 3}), {5}), Error);
  EXPECT_THROW(max_pool(tape, zeros({2, 3}), {}), Error);
  EXPECT_THROW(max_pool(tape, zeros({1, 2, 2, 1}), {.kernel = 3, .stride = 1}), Error);
  EXPECT_THROW(scan_loss(tape, zeros({1, 2, 3}), zeros({2, 3}), 5.f), Error);
  EXPECT_THROW(weight_norm(tape, zeros({2, 3}), zeros({3})), Error);
  Tensor prior = ctx.zeros({2, 3});
  EXPECT_THROW(temi_loss(tape, zeros({4, 5}), ctx.zeros({4, 5}), prior, {}), Error);
  EXPECT_THROW(temi_loss(tape, zeros({3, 6}), ctx.zeros({3, 6}), prior, {}), Error);
  EXPECT_THROW(temi_loss(tape, zeros({4, 6}), ctx.zeros({2, 4, 3}), prior, {}), Error);
  EXPECT_THROW(temi_loss(tape, zeros({3, 4, 3}), ctx.zeros({3, 4, 3}), prior, {}), Error);
  EXPECT_THROW(temi_loss(tape, zeros({0, 6}), ctx.zeros({0, 6}), prior, {}), Error);
  EXPECT_THROW(mean(tape, zeros({0})), Error);
}

TEST(ops, bf16_is_refused_on_the_cpu) {
  Context ctx;
  Tape tape(ctx);
  EXPECT_THROW(relu(tape, tape.constant(ctx.zeros({4}, DType::bf16))), Error);
}

}  // namespace
}  // namespace kith
