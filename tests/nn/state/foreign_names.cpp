// Weight files of other libraries, by the names that those libraries give (tests/golden/foreign_names.py).
#include "nn/state/foreign_names.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "nn/model/heads.h"
#include "nn/model/resnet.h"
#include "tests/nn/support.h"
#include "tests/support/golden.h"

namespace kith {
namespace {

using test::error_of;

HostArray zeros(const Shape& shape, const std::string& dtype = "F32") {
  HostArray a{.dtype = dtype, .shape = shape, .bytes = {}};
  a.bytes.resize(static_cast<size_t>(a.count()) * (dtype == "I64" ? 8 : 4));
  return a;
}

// A file of the names and shapes of a scheme.
SafeTensors file_of(const std::string& scheme) {
  SafeTensors file{.file = scheme + ".safetensors"};
  for (const auto& [key, shape] : test::golden("foreign_names").arrays) {
    if (!key.starts_with(scheme + "/")) continue;
    const std::string name = key.substr(scheme.size() + 1);
    const Shape extents(shape.as<int64_t>(), shape.as<int64_t>() + shape.count());
    file.arrays[name] = zeros(extents, name.ends_with("num_batches_tracked") ? "I64" : "F32");
  }
  EXPECT_GT(file.arrays.size(), 100u) << scheme;
  return file;
}

SafeTensors renamed(const SafeTensors& file, const std::function<std::string(const std::string&)>& name) {
  SafeTensors out{.file = file.file};
  for (const auto& [key, array] : file.arrays) out.arrays[name(key)] = array;
  return out;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  if (const size_t at = text.find(what); at != std::string::npos) text.replace(at, what.size(), by);
  return text;
}

struct Model {
  Context ctx{{.threads = 1}};
  ResNet backbone;
  ProjectionHead head;
  StateView view;
  Model(const ResNetConfig& config, bool with_head) : backbone(ctx, config, 1), head(ctx, config.features(), 128, 1) {
    backbone.state(view, "backbone.");
    if (with_head) head.state(view, "contrastive_head.");
  }
};

using Names = std::vector<std::string>;

TEST(foreign_names, those_of_the_libraries_fit_our_networks) {
  const ResNetConfig imagenet18{.stem = Stem::imagenet}, imagenet50{.depth = 50, .stem = Stem::imagenet};
  const std::tuple<std::string, ResNetConfig, bool, Names> schemes[] = {
      {"torchvision_18", imagenet18, false, {"fc.bias", "fc.weight"}},
      {"torchvision_50", imagenet50, false, {"fc.bias", "fc.weight"}},
      {"lightly", imagenet18, true, {}},
      {"lightly_own", {}, true, {}},
      {"solo_learn", {}, true, {"classifier.bias", "classifier.weight"}},
  };
  for (const auto& [scheme, config, has_head, left_out] : schemes) {
    const ForeignWeights got = with_our_names(file_of(scheme), {});
    EXPECT_EQ(got.has_head, has_head) << scheme;
    EXPECT_EQ(got.left_out, left_out) << scheme;
    EXPECT_TRUE(got.cluster_heads.empty()) << scheme;
    EXPECT_EQ(error_of([&] { load_state(Model(config, has_head).view, got.weights); }), "") << scheme;
  }
}

// Each name must go to its own tensor: what the libraries compute with these weights in eval mode is what we compute.
TEST(foreign_names, values_arrive_where_they_belong) {
  const SafeTensors golden = test::golden("resnet_50");
  SafeTensors torchvision{.file = "x"};
  for (const std::string part : {"state.backbone.", "after.backbone."})
    for (const auto& [name, array] : golden.arrays)
      if (name.starts_with(part))
        torchvision.arrays[replaced(name.substr(part.size()), "shortcut", "downsample")] = array;
  Model m({.depth = 50, .width = 2}, false);
  load_state(m.view, with_our_names(torchvision, {}).weights);
  const HostArray& images = golden.arrays.at("images");
  const std::span<const float> want = test::values<float>(golden, "eval_features");
  Tape tape(m.ctx, Tape::Mode::inference);
  const Tensor x = m.ctx.from(images.shape, test::values<float>(golden, "images"));
  const std::vector<float> got = m.backbone(tape, tape.constant(x), false).value().to_host();
  double error = 0;
  for (size_t i = 0; i < got.size(); ++i) error += (double{got[i]} - want[i]) * (double{got[i]} - want[i]);
  // As in tests/nn/model/resnet.cpp, on the norm.
  EXPECT_LE(std::sqrt(error), 170 * 53 * test::kUnit * std::sqrt(test::dot(want, want)));
}

TEST(foreign_names, wrappers_are_passed_over) {
  const SafeTensors plain = file_of("torchvision_18");
  const ForeignWeights want = with_our_names(plain, {});
  for (const char* prefix : {"module.", "model.", "state_dict.", "state_dict.model.", "module.backbone.",
                             "backbone.module.", "encoder.", "model.resnet.", "model.encoder.module."}) {
    const ForeignWeights got =
        with_our_names(renamed(plain, [&](const std::string& name) { return prefix + name; }), {});
    EXPECT_EQ(got.left_out.size(), 2u) << prefix;
    ASSERT_EQ(got.weights.arrays.size(), want.weights.arrays.size()) << prefix;
    for (const auto& [name, array] : want.weights.arrays) EXPECT_TRUE(got.weights.arrays.contains(name)) << name;
  }
}

// MoCo v2 and several SimCLRs put the projection where torchvision has its classifier.
TEST(foreign_names, two_maps_in_place_of_fc_are_the_projection) {
  SafeTensors file = file_of("torchvision_18");
  for (const char* name : {"fc.weight", "fc.bias"}) file.arrays.erase(name);
  for (const auto& [place, out] : {std::pair{"0", 512}, {"2", 128}}) {
    file.arrays[fmt::format("fc.{}.weight", place)] = zeros({out, 512});
    file.arrays[fmt::format("fc.{}.bias", place)] = zeros({out});
  }
  for (const std::string prefix : {"", "backbone."}) {
    const ForeignWeights got = with_our_names(renamed(file, [&](const std::string& n) { return prefix + n; }), {});
    EXPECT_TRUE(got.has_head);
    EXPECT_NO_THROW(load_state(Model({.stem = Stem::imagenet}, true).view, got.weights));
  }
}

TEST(foreign_names, what_does_not_fit_is_named_as_the_file_has_it) {
  const auto problems = [](const SafeTensors& file) {
    const ForeignWeights got = with_our_names(file, {});
    return error_of([&] { load_state(Model({.stem = Stem::imagenet}, got.has_head).view, got.weights); });
  };
  SafeTensors file = file_of("torchvision_18");
  file.arrays["layer2.0.downsample.0.weight"].shape = {128, 64, 2, 2};
  file.arrays["layer2.0.se.weight"] = zeros({1});
  file.arrays["extra"] = zeros({1});
  file.arrays.erase("bn1.bias");
  EXPECT_EQ(problems(file),
            "torchvision_18.safetensors: state does not fit: missing backbone.bn1.bias; layer2.0.downsample.0.weight "
            "(backbone.layer2.0.shortcut.0.weight): F32 [128, 64, 1, 1] expected, found F32 [128, 64, 2, 2]; "
            "unexpected layer2.0.se.weight (backbone.layer2.0.se.weight); unexpected extra");
  const std::string wide = problems(file_of("solo_learn_2048"));
  EXPECT_NE(wide.find("projector.0.weight (contrastive_head.0.weight): F32 [512, 512] expected, found F32 [2048, 512]"),
            std::string::npos)
      << wide;
  const std::string normed = problems(file_of("lightly_batch_norm"));
  for (const char* part : {"missing contrastive_head.0.bias", "missing contrastive_head.2.weight",
                           "unexpected projection_head.layers.1.weight", "unexpected projection_head.layers.3.weight"})
    EXPECT_NE(normed.find(part), std::string::npos) << part << " not in: " << normed;
  EXPECT_NO_THROW(load_state(Model({.stem = Stem::imagenet}, false).view,
                             with_our_names(file_of("lightly_batch_norm"), {"projection_head."}).weights));
}

TEST(foreign_names, counters_may_be_absent) {
  SafeTensors file = file_of("torchvision_18");
  std::memset(file.arrays.at("bn1.num_batches_tracked").bytes.data(), 1, 1);
  file.arrays.erase("layer4.1.bn2.num_batches_tracked");
  const ForeignWeights got = with_our_names(file, {});
  EXPECT_EQ(*got.weights.arrays.at("backbone.bn1.num_batches_tracked").as<int64_t>(), 1);
  EXPECT_EQ(*got.weights.arrays.at("backbone.layer4.1.bn2.num_batches_tracked").as<int64_t>(), 0);
}

TEST(foreign_names, cluster_heads_are_counted) {
  SafeTensors file = renamed(file_of("torchvision_18"), [](const std::string& n) { return "backbone." + n; });
  for (const char* name : {"cluster_head.0.weight", "cluster_head.0.bias", "cluster_head.10.weight"})
    file.arrays[name] = zeros({10, 512});
  EXPECT_EQ(with_our_names(file, {}).cluster_heads, (std::vector<int>{0, 10}));
  EXPECT_EQ(with_our_names(file, {"cluster_head.1"}).cluster_heads, (std::vector<int>{0}));
}

TEST(foreign_names, what_is_ignored_must_be_there) {
  EXPECT_EQ(error_of([] { with_our_names(file_of("torchvision_18"), {"projector."}); }),
            "torchvision_18.safetensors: no tensor begins with projector.");
}

TEST(foreign_names, files_without_one_resnet_are_errors) {
  SafeTensors file{.file = "vit.safetensors"};
  file.arrays["blocks.0.attn.qkv.weight"] = zeros({1});
  EXPECT_EQ(error_of([&] { with_our_names(file, {}); }),
            "vit.safetensors: no ResNet: a tensor conv1.weight expected, by itself or below backbone., encoder. or "
            "resnet. (in nn.Sequential 0.weight); found 1 tensors, the first blocks.0.attn.qkv.weight");
  file = file_of("torchvision_18");
  file.arrays["layer2.0.shortcut.0.weight"] = zeros({1});
  EXPECT_EQ(error_of([&] { with_our_names(file, {}); }),
            "torchvision_18.safetensors: both layer2.0.downsample.0.weight and layer2.0.shortcut.0.weight are "
            "backbone.layer2.0.shortcut.0.weight");
}

// A model is wrapped whole, or a part of it is; names of both kinds are those of two files.
TEST(foreign_names, wrapping_of_some_names_alone_is_refused) {
  SafeTensors file = file_of("torchvision_18");
  const size_t all = file.arrays.size();
  file.arrays["module.conv1.weight"] = zeros({1});
  EXPECT_EQ(error_of([&] { with_our_names(file, {}); }),
            fmt::format("torchvision_18.safetensors: 1 names are below module. and {} are not; expected all or none: "
                        "module.conv1.weight",
                        all));
  EXPECT_EQ(error_of([&] { with_our_names(file, {"module."}); }), "");
  file = renamed(file_of("torchvision_18"), [](const std::string& name) {
    return name.starts_with("layer4.") ? "backbone." + name : "backbone.module." + name;
  });
  const std::string error = error_of([&] { with_our_names(file, {}); });
  EXPECT_NE(error.find("names are below backbone.module. and "), std::string::npos) << error;
  EXPECT_NE(error.find("backbone.layer4.0.bn1.bias, "), std::string::npos) << error;
  EXPECT_TRUE(error.ends_with(", ...")) << error;
  file = renamed(file_of("torchvision_18"), [](const std::string& name) { return "backbone.module." + name; });
  file.arrays["projector.0.weight"] = zeros({1});
  EXPECT_EQ(error_of([&] { with_our_names(file, {}); }), "");  // the part that is wrapped is so as a whole
}

}  // namespace
}  // namespace kith
