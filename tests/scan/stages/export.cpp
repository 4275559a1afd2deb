// The ONNX file of a run: what is in it, bit by bit; what cannot be exported. What ONNX Runtime computes with it is compared by
// tests/golden/check_onnx.py with what the last test here writes.
#include "scan/stages/export.h"

#include <cstring>
#include <functional>
#include <limits>

#include "scan/stages/predict.h"
#include "scan/train/checkpoint.h"
#include "tests/scan/stages/stages_support.h"
#include "tests/support/lost_record.h"
#include "tests/support/protobuf.h"

namespace kith {
namespace {

using namespace test;
namespace fs = std::filesystem;

// A run directory that has a clustering network and nothing else, its weights and statistics drawn.
struct Clustered {
  TinyRun run;
  std::optional<ClusterModel> model;
  Clustered(const std::string& name, const ModelConfig& network, data::Dataset data,
            const std::string& stage = "cluster")
      : run(name, tiny_config(), std::move(data)) {
    run.config.model = network;
    run.config.selflabel.enabled = stage != "cluster";
    run.config.refine.enabled = stage == "refine";
    model.emplace(run.ctx, run.config, run.data, 1);
    SafeTensors drawn = save_state(model->state());
    Random random(7, 0, 0, 0);
    for (auto& [array, tensor] : drawn.arrays) {
      if (tensor.dtype != "F32" || tensor.shape.size() > 1) continue;
      const bool positive = array.ends_with("running_var") || array.ends_with("weight");
      std::vector<float> values(static_cast<size_t>(tensor.count()));
      for (float& v : values) v = positive ? random.uniform(0.5f, 1.5f) : random.uniform(-0.3f, 0.3f);
      std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
    }
    load_state(model->state(), drawn);
    Session s{run.ctx, run.config, run.data, run.folder.path(), run.report};
    write_result(s, stage, drawn);
    std::ofstream(run.file("config.toml")) << to_toml(run.config);
  }
  Exported exported(const std::string& stage = "") {
    return export_onnx(run.folder.path(), stage, run.file("net.onnx"));
  }
};

std::vector<int64_t> extents(const ProtobufMessage& value_info) {
  std::vector<int64_t> all;
  const ProtobufMessage shape = value_info.message(2).message(1).message(2);
  for (const auto& dimension : shape.all(1)) {
    const ProtobufMessage d(dimension.text);
    all.push_back(d.all(2).empty() ? static_cast<int64_t>(d.number(1)) : -1);
  }
  return all;
}

TEST(Export, HoldsTheNetworkBitByBit) {
  Clustered c("export", {.depth = 50, .width = 4, .projection = 8}, striped_data(3));
  const Exported said = c.exported();
  EXPECT_EQ(said.stage, "cluster");
  EXPECT_EQ(said.images, (std::vector<int64_t>{3, 9, 8}));
  EXPECT_EQ(said.clusters, 3);
  EXPECT_EQ(said.features, 128);
  const std::string bytes = bytes_of(c.run.file("net.onnx"));
  const ProtobufMessage model(bytes), graph = model.message(7);
  EXPECT_EQ(model.number(1), 8u);              // IR version
  EXPECT_EQ(model.message(8).number(2), 17u);  // operator set
  EXPECT_EQ(model.text(2), "kith");

  std::map<std::string, int> operators;
  for (const auto& node : graph.all(1)) ++operators[ProtobufMessage(node.text).text(4)];
  EXPECT_EQ(operators, (std::map<std::string, int>{{"Sub", 1},
                                                   {"Div", 1},
                                                   {"Conv", 53},
                                                   {"BatchNormalization", 53},
                                                   {"Relu", 49},
                                                   {"Add", 16},
                                                   {"GlobalAveragePool", 1},
                                                   {"Flatten", 1},
                                                   {"Gemm", 1},
                                                   {"Softmax", 1}}));
  SafeTensors weights = read_safetensors(c.run.file("cluster.safetensors"));
  std::erase_if(weights.arrays, [](const auto& a) { return a.second.dtype != "F32"; });
  size_t found = 0;
  for (const auto& constant : graph.all(5)) {
    const ProtobufMessage tensor(constant.text);
    const std::string name = tensor.text(8);
    const auto at = weights.arrays.find(name);
    if (at == weights.arrays.end()) {
      ASSERT_TRUE(name == "mean" || name == "std") << name;
      const float value = name == "mean" ? 0.4f : 0.25f, three[] = {value, value, value};
      EXPECT_EQ(tensor.text(9), std::string(reinterpret_cast<const char*>(three), sizeof three));
      continue;
    }
    ++found;
    EXPECT_EQ(tensor.text(9),
              std::string(reinterpret_cast<const char*>(at->second.bytes.data()), at->second.bytes.size()));
    std::vector<int64_t> shape;
    for (const auto& extent : tensor.all(1)) shape.push_back(static_cast<int64_t>(extent.number));
    EXPECT_EQ(shape, at->second.shape) << name;
  }
  EXPECT_EQ(found, weights.arrays.size());

  EXPECT_EQ(extents(graph.message(11)), (std::vector<int64_t>{-1, 3, 9, 8}));
  std::map<std::string, std::vector<int64_t>> outputs;
  for (const auto& output : graph.all(12)) {
    const ProtobufMessage o(output.text);
    outputs[o.text(1)] = extents(o);
  }
  EXPECT_EQ(outputs, (std::map<std::string, std::vector<int64_t>>{
                         {"logits", {-1, 3}}, {"probabilities", {-1, 3}}, {"features", {-1, 128}}}));
  std::map<std::string, std::string> metadata;
  for (const auto& entry : model.all(14)) {
    const ProtobufMessage pair(entry.text);
    metadata[pair.text(1)] = pair.text(2);
  }
  EXPECT_EQ(metadata.at("kith.images"), "3 x 9 x 8, NCHW, RGB, values 0..1 (bytes / 255)");
  EXPECT_EQ(metadata.at("kith.mean"), "0.4 0.4 0.4");
  EXPECT_EQ(metadata.at("kith.std"), "0.25 0.25 0.25");
  EXPECT_EQ(metadata.at("kith.clusters"), "3");
  EXPECT_EQ(metadata.at("kith.resize"), "none");
  c.exported();
  EXPECT_TRUE(bytes_of(c.run.file("net.onnx")) == bytes) << "another export has other bytes";
}

TEST(Export, IsOfTheLastStageOrTheOneAskedFor) {
  Clustered last("export_last", {.width = 4, .projection = 8}, striped_data(), "selflabel");
  EXPECT_EQ(last.exported().stage, "selflabel");
  Clustered refined("export_refined", {.width = 4, .projection = 8}, striped_data(), "refine");
  EXPECT_EQ(refined.exported().stage, "refine");
  EXPECT_EQ(error_of([&] { last.exported("cluster"); }),
            last.run.file("cluster.safetensors").string() + ": missing; run the cluster stage first");
}

// A last step may break weights after every loss was a number.
TEST(Export, WeightsThatAreNotFiniteAreNoResult) {
  Clustered c("export_finite", {.width = 4, .projection = 8}, striped_data());
  SafeTensors weights = read_safetensors(c.run.file("cluster.safetensors"));
  const std::string before = bytes_of(c.run.file("cluster.safetensors"));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(weights.arrays.at("backbone.bn1.bias").bytes.data() + sizeof nan, &nan, sizeof nan);
  Session s{c.run.ctx, c.run.config, c.run.data, c.run.folder.path(), c.run.report};
  EXPECT_EQ(
      error_of([&] { write_result(s, "cluster", weights); }),
      "cluster: backbone.bn1.bias holds numbers that are not finite, and the weights were not written; expected a "
      "lower learning rate (--set cluster.schedule.lr=...)");
  EXPECT_EQ(bytes_of(c.run.file("cluster.safetensors")), before);
}

TEST(Export, WhatCannotBeIsOneLineAndWritesNothing) {
  Clustered c("export_errors", {.width = 4, .projection = 8}, striped_data());
  const fs::path weights = c.run.file("cluster.safetensors"), onnx = c.run.file("net.onnx");
  const SafeTensors good = read_safetensors(weights);
  lose_record(c.run.folder.path(), "cluster");  // to which changed bytes would be enough
  const auto error = [&](const std::function<void(SafeTensors&)>& change) {
    SafeTensors file = good;
    change(file);
    write_safetensors(weights, file);
    const std::string text = error_of([&] { c.exported(); });
    EXPECT_FALSE(fs::exists(onnx)) << text;
    return text.starts_with(weights.string()) ? text.substr(weights.string().size()) : text;
  };
  EXPECT_EQ(error([](SafeTensors& f) {
              f.arrays.erase("backbone.bn1.bias");
              f.arrays.at("backbone.conv1.weight").shape = {4, 3, 3, 1};
              f.arrays["cluster_head.1.bias"] = f.arrays.at("cluster_head.0.bias");
            }),
            ": network does not fit: backbone.conv1.weight: F32 [4, 1, 3, 3] expected, found F32 [4, 3, 3, 1]; missing "
            "backbone.bn1.bias; unexpected cluster_head.1.bias");
  EXPECT_EQ(error([](SafeTensors& f) { f.arrays.erase("cluster_head.0.bias"); }),
            ": no cluster head (a vector cluster_head.0.bias expected)");
  EXPECT_EQ(error([](SafeTensors& f) { f.metadata.clear(); }),
            ": not written by a stage of kith (no kith.origin in its metadata)");
  EXPECT_TRUE(error([](SafeTensors& f) { f.metadata[kOriginKey] = "{}"; }).starts_with(": unreadable kith.origin"));
  write_safetensors(weights, good);
  EXPECT_EQ(error_of([&] { export_onnx(c.run.folder.path(), "", weights); }),
            weights.string() + ": expected a name ending in .onnx");
  EXPECT_TRUE(bytes_of(weights).size() > 1000);
  const std::string config = bytes_of(c.run.file("config.toml"));
  EXPECT_NE(error_of([&] {
              export_onnx(c.run.folder.path(), "", c.run.file("config.toml"));
            }).find("expected a name ending in .onnx"),
            std::string::npos);
  EXPECT_EQ(bytes_of(c.run.file("config.toml")), config);
  fs::remove(c.run.file("config.toml"));
  EXPECT_EQ(error_of([&] { c.exported(); }),
            c.run.folder.path().string() +
                ": config.toml is missing, which held every field of the run here; restore it (the run's full command "
                "with another --out, --dry-run and --fields prints it), or begin anew in another --out");
}

// Networks, images, and what kith computes, for another program to compare.
TEST(Export, ForOnnxRuntime) {
  const char* dir = std::getenv("KITH_EXPORT");
  if (dir == nullptr) GTEST_SKIP() << "KITH_EXPORT names no directory; see tests/golden/check_onnx.py";
  const std::tuple<std::string, ModelConfig, int> networks[] = {
      {"cifar_18", {.depth = 18, .width = 8, .projection = 8}, 1},
      {"stl_34", {.depth = 34, .width = 4, .stem = Stem::stl, .projection = 8}, 3},
      {"imagenet_50", {.depth = 50, .width = 4, .stem = Stem::imagenet, .projection = 8}, 3}};
  for (const auto& [name, network, channels] : networks) {
    Clustered c("export_" + name, network, striped_data(channels, 70, 7));
    const fs::path to = fs::path(dir) / name;
    fs::create_directories(to);
    export_onnx(c.run.folder.path(), "", to / "net.onnx");
    Session s{c.run.ctx, c.run.config, c.run.data, c.run.folder.path(), c.run.report};
    const Prediction p = predict(s, *c.model, c.run.data.test());
    Tape tape(c.run.ctx, Tape::Mode::inference);
    SafeTensors io;
    io.arrays["features"] = to_array(p.features);
    io.arrays["probabilities"] = to_array(p.probabilities);
    io.arrays["logits"] = to_array(c.model->heads.one(tape, tape.constant(p.features), 0).value());
    const data::Images& images = c.run.data.test();
    std::vector<std::byte> pixels(images.pixels.size());
    std::memcpy(pixels.data(), images.pixels.data(), pixels.size());
    io.arrays["images"] = {.dtype = "U8",
                           .shape = {images.count, images.height, images.width, images.channels},
                           .bytes = std::move(pixels)};
    write_safetensors(to / "io.safetensors", io);
  }
}

}  // namespace
}  // namespace kith
