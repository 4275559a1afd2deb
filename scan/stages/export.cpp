#include "scan/stages/export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <span>

#include "data/dataset/dataset.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "nn/model/network_onnx.h"
#include "scan/run/trained_run.h"
#include "scan/stages/outlook.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

HostArray channels(std::span<const float> values) {
  HostArray a{.dtype = "F32", .shape = {1, static_cast<int64_t>(values.size()), 1, 1}, .bytes = {}};
  a.bytes.resize(values.size_bytes());
  std::memcpy(a.bytes.data(), values.data(), values.size_bytes());
  return a;
}

void describe(OnnxGraph& graph, const TrainedRun& run, const Exported& e) {
  const RunConfig& config = run.config;
  const data::Images& images = run.shape();
  const std::span mean(run.like.mean, static_cast<size_t>(images.channels)), std(run.like.std, mean.size());
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"kith.version", KITH_VERSION},
           {"kith.stage", e.stage},
           {"kith.network", fmt::format("ResNet-{}, width {}", config.model.depth, config.model.width)},
           {"kith.data", data::kind_of(config.data.spec)},
           {"kith.clusters", std::to_string(e.clusters)},
           {"kith.images", fmt::format("{} x {} x {}, NCHW, {}, values 0..1 (bytes / 255)", images.channels,
                                       images.height, images.width, images.channels == 3 ? "RGB" : "gray")},
           {"kith.mean", fmt::format("{}", fmt::join(mean, " "))},
           {"kith.std", fmt::format("{}", fmt::join(std, " "))},
           {"kith.normalisation", "(x - mean) / std, in the graph"},
           {"kith.resize",
            data::is_picture_kind(config.data.spec)
                ? fmt::format("not in the graph: the centre square, resized as Pillow's resize(({0}, {1}), BILINEAR, "
                              "box=SQUARE) "
                              "does; pixels beside the square take part at its edges",
                              images.width, images.height)
            : config.data.size > 0
                ? fmt::format("not in the graph: exact area averages to {} x {}, rounded to whole bytes, halves up",
                              images.height, images.width)
                : "none"},
           {"kith.features", "pooled features of the backbone, not normalised"}})
    graph.metadata(key, value);
}

}  // namespace

Exported export_onnx(const fs::path& run_dir, const std::string& stage, const fs::path& file) {
  if (file.extension() != ".onnx") throw Error(file.string() + ": expected a name ending in .onnx");
  const TrainedRun run = open_run(run_dir, stage);
  Exported e{.stage = run.stage, .images = {}, .doubts = doubts_about(run, outlook)};
  const data::Images& images = run.shape();
  e.clusters = run.clusters;
  e.images = {images.channels, images.height, images.width};
  const ResNetConfig net{.depth = run.config.model.depth,
                         .width = run.config.model.width,
                         .in_channels = images.channels,
                         .stem = run.config.model.stem};
  e.features = net.features();

  OnnxGraph graph("kith");
  graph.input("images", {OnnxGraph::kBatch, images.channels, images.height, images.width});
  const std::string mean = graph.constant("mean", channels({run.like.mean, static_cast<size_t>(images.channels)}));
  const std::string std = graph.constant("std", channels({run.like.std, static_cast<size_t>(images.channels)}));
  const std::string x = graph.node("Div", {graph.node("Sub", {"images", mean}, "centred"), std}, "normalised");
  const NetworkResults results = add_network(graph, net, e.clusters, run.weights, x);
  graph.output(results.logits, {OnnxGraph::kBatch, e.clusters});
  graph.output(results.probabilities, {OnnxGraph::kBatch, e.clusters});
  graph.output(results.features, {OnnxGraph::kBatch, e.features});
  describe(graph, run, e);
  data::write_file(file, {data::as_bytes(graph.bytes("kith", KITH_VERSION))});
  return e;
}

}  // namespace kith
