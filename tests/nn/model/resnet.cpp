// ResNet-18 and -50 against PyTorch in float64 (tests/golden/resnet.py): forward, gradients, running statistics, eval mode.
#include "nn/model/resnet.h"

#include <gtest/gtest.h>

#include "kernels/core/check.h"
#include "nn/model/heads.h"
#include "tests/nn/support.h"
#include "tests/support/golden.h"

namespace kith {
namespace {

using test::kUnit;

SafeTensors part(const SafeTensors& file, const std::string& prefix) {
  SafeTensors out;
  for (const auto& [name, array] : file.arrays)
    if (name.starts_with(prefix)) out.arrays.emplace(name.substr(prefix.size()), array);
  return out;
}

// |got - want| / |want| as vectors. Normalised layers, each a sum of at most 300 terms (~ sqrt(300) u), whose errors the
// backward pass multiplies by 1/sigma of small batches: 17 u a layer, factor 10 in hand. NaN fails.
void expect_near(std::span<const float> got, std::span<const float> want, int layers, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  double error = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    error += (double{got[i]} - want[i]) * (double{got[i]} - want[i]);
    norm += double{want[i]} * want[i];
  }
  EXPECT_TRUE(error <= std::pow(170 * layers * kUnit, 2) * norm)
      << what << ": relative error " << std::sqrt(error / norm);
}

void expect_near(const HostArray& got, const HostArray& want, int layers, const std::string& what) {
  ASSERT_EQ(got.shape, want.shape) << what;
  ASSERT_EQ(got.dtype, want.dtype) << what;
  if (got.dtype == "I64") {
    EXPECT_EQ(got.bytes, want.bytes) << what;
    return;
  }
  expect_near({got.as<float>(), static_cast<size_t>(got.count())},
              {want.as<float>(), static_cast<size_t>(want.count())}, layers, what);
}

struct BackboneAndHead {
  ResNet backbone;
  ProjectionHead head;
  BackboneAndHead(Context& ctx, const ResNetConfig& config, int dim, uint64_t seed)
      : backbone(ctx, config, seed), head(ctx, config.features(), dim, seed) {}
  StateView state() {
    StateView view;
    backbone.state(view, "backbone.");
    head.state(view, "contrastive_head.");
    return view;
  }
};

// Every depth's blocks, a stem with and without a pool: the same bits from less memory.
TEST(resnet, recomputes_its_normalisations_to_the_bit) {
  for (const auto& [depth, stem] : {std::pair{18, Stem::cifar}, {34, Stem::stl}, {50, Stem::imagenet}})
    for (const DType precision : {DType::f32, DType::bf16}) {
      if (precision == DType::bf16 && !cpu_multiplies_bf16()) continue;
      const auto run = [&](bool recompute) {
        Context ctx({.threads = 1, .precision = precision, .recompute = recompute});
        BackboneAndHead net(ctx, {.depth = depth, .width = 4, .in_channels = 3, .stem = stem}, 8, 1);
        const StateView state = net.state();
        const int64_t before = ctx.pool_bytes();
        Tape tape(ctx);
        Tensor images = ctx.empty({128, 32, 32, 3}, precision);
        images.copy_from(test::normal(images.size(), {5}));
        tape.backward(mean(tape, net.head(tape, net.backbone(tape, tape.constant(images), true))));
        std::vector<std::vector<float>> gradients;
        for (const NamedParameter& p : state.parameters) gradients.push_back(p.parameter->grad.to_host());
        return std::pair(gradients, ctx.pool_bytes() - before);
      };
      const auto [kept, much] = run(false);
      const auto [made_again, less] = run(true);
      EXPECT_EQ(kept, made_again) << depth;
      EXPECT_LT(static_cast<double>(less), 0.9 * static_cast<double>(much)) << depth;
    }
}

void check_against(const std::string& name, const ResNetConfig& config) {
  Context ctx({.threads = 2});
  const int layers = config.depth + 3;  // convolutions, those of the shortcuts among them
  const SafeTensors file = test::golden(name);
  const auto tensor = [&](const std::string& key) {
    const HostArray& a = file.arrays.at(key);
    return ctx.from(a.shape, {a.as<float>(), static_cast<size_t>(a.count())});
  };
  BackboneAndHead model(ctx, config, 4, 1);
  StateView view = model.state();
  load_state(view, part(file, "state."));
  Tape tape(ctx);
  Var features = model.backbone(tape, tape.constant(tensor("images")), true);
  Var z = model.head(tape, features);
  expect_near(features.value().span(), tensor("features").span(), layers, "features");
  expect_near(z.value().span(), tensor("z").span(), layers, "z");
  tape.backward({{features, tensor("d_features")}, {z, tensor("d_z")}});

  const SafeTensors gradients = part(file, "grad."), after = part(file, "after.");
  ASSERT_EQ(gradients.arrays.size(), view.parameters.size());
  for (const NamedParameter& p : view.parameters) {
    Parameter gradient{.value = p.parameter->grad, .grad = {}};
    const SafeTensors got = save_state({.parameters = {{p.name, &gradient, true}}, .buffers = {}, .counters = {}});
    expect_near(got.arrays.at(p.name), gradients.arrays.at(p.name), layers, "gradient of " + p.name);
  }
  const SafeTensors state = save_state(view);
  for (const auto& [key, array] : after.arrays) expect_near(state.arrays.at(key), array, layers, key);

  Tape inference(ctx, Tape::Mode::inference);
  Var eval = model.backbone(inference, inference.constant(tensor("images")), false);
  expect_near(eval.value().span(), tensor("eval_features").span(), layers, "eval features");
}

TEST(resnet, cifar_stem_matches_pytorch) { check_against("resnet_cifar", {.width = 3, .stem = Stem::cifar}); }
TEST(resnet, stl_stem_matches_pytorch) {
  check_against("resnet_stl", {.width = 2, .in_channels = 1, .stem = Stem::stl});
}
TEST(resnet, imagenet_stem_matches_pytorch) { check_against("resnet_imagenet", {.width = 2, .stem = Stem::imagenet}); }
TEST(resnet, bottlenecks_match_pytorch) { check_against("resnet_50", {.depth = 50, .width = 2}); }

TEST(resnet, sizes_of_the_published_models) {
  Context ctx;
  const auto count = [&](const ResNetConfig& config) {
    StateView view;
    ResNet net(ctx, config, 0);
    net.state(view, "");
    int64_t n = 0;
    for (const NamedParameter& p : view.parameters) n += p.parameter->value.size();
    return n;
  };
  EXPECT_EQ(count({}), 11168832);                                     // CIFAR ResNet-18 without classifier
  EXPECT_EQ(count({.stem = Stem::imagenet}), 11176512);               // torchvision's 11,689,512 less its 513,000
  EXPECT_EQ(count({.depth = 34, .stem = Stem::imagenet}), 21284672);  // torchvision's 21,797,672 less its 513,000
  EXPECT_EQ(count({.depth = 50, .stem = Stem::imagenet}), 23508032);  // torchvision's 25,557,032 less its 2,049,000
  EXPECT_EQ((ResNetConfig{.depth = 50}.features()), 2048);
}

TEST(resnet, initial_weights_follow_the_seed_and_the_name) {
  Context ctx;
  BackboneAndHead a(ctx, {.width = 4}, 8, 5), b(ctx, {.width = 4}, 8, 5), c(ctx, {.width = 4}, 8, 6);
  const SafeTensors sa = save_state(a.state()), sb = save_state(b.state()), sc = save_state(c.state());
  for (const auto& [name, array] : sa.arrays) {
    EXPECT_EQ(array.bytes, sb.arrays.at(name).bytes);
    const bool constant = name.find("bn") != std::string::npos || name.find("shortcut.1") != std::string::npos;
    EXPECT_EQ(array.bytes == sc.arrays.at(name).bytes, constant) << name;
  }
}

TEST(resnet, initial_convolutions_have_kaiming_variance) {
  Context ctx;
  BackboneAndHead m(ctx, {.width = 16}, 8, 5);
  StateView view = m.state();
  for (const NamedParameter& p : view.parameters) {
    const Tensor& w = p.parameter->value;
    if (w.rank() != 4 || w.size() < 9216) continue;
    const double want = 2.0 / static_cast<double>(w.dim(0) * w.dim(1) * w.dim(2));
    const double variance = test::dot(w.span(), w.span()) / static_cast<double>(w.size());
    // The variance of n draws deviates by sqrt(2 / n): 5 of them in hand.
    EXPECT_NEAR(variance / want, 1.0, 5 * std::sqrt(2.0 / static_cast<double>(w.size()))) << p.name;
  }
}

TEST(resnet, wrong_configurations_are_errors) {
  Context ctx;
  EXPECT_THROW(ResNet(ctx, {.depth = 101}, 0), Error);
  EXPECT_THROW(ResNet(ctx, {.width = 0}, 0), Error);
  ResNet net(ctx, {.width = 2}, 0);
  Tape tape(ctx);
  EXPECT_THROW(net(tape, tape.constant(ctx.zeros({2, 8, 8, 1})), true), Error);
}

}  // namespace
}  // namespace kith
