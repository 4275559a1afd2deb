#include "scan/stages/export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>

#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "nn/model/network_onnx.h"
#include "scan/config/config.h"
#include "scan/run/ledger.h"
#include "scan/stages/models.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

// What the network was trained on, as the origin of its weights has it (data/dataset/digest.h).
struct Images {
  int height = 0, width = 0, channels = 0;
  float mean[3] = {}, std[3] = {};
};

Images images_of(const SafeTensors& weights) {
  Images images;
  const auto origin = weights.metadata.find(kOriginKey);
  if (origin == weights.metadata.end())
    throw Error(fmt::format("{}: not written by a stage of kith (no {} in its metadata)", weights.file, kOriginKey));
  try {
    const Origin::Values data = origin_from_json(nlohmann::json::parse(origin->second)).data;
    float *m = images.mean, *s = images.std;
    if (std::sscanf(data.at("train images").c_str(), "%*d of %d x %d x %d", &images.height, &images.width,
                    &images.channels) == 3 &&
        std::sscanf(data.at("normalisation").c_str(), "%f %f %f / %f %f %f", m, m + 1, m + 2, s, s + 1, s + 2) == 6)
      return images;
  } catch (const nlohmann::json::exception&) {
  } catch (const std::out_of_range&) {
  }
  throw Error(
      fmt::format("{}: unreadable {} in its metadata: the size of the train images and their normalisation "
                  "expected",
                  weights.file, kOriginKey));
}

HostArray channels(std::span<const float> values) {
  HostArray a{.dtype = "F32", .shape = {1, static_cast<int64_t>(values.size()), 1, 1}, .bytes = {}};
  a.bytes.resize(values.size_bytes());
  std::memcpy(a.bytes.data(), values.data(), values.size_bytes());
  return a;
}

SafeTensors weights_of(const fs::path& run_dir, const std::string& stage) {
  const fs::path path = run_dir / (stage + ".safetensors");
  const bool other = stage != "cluster" && fs::exists(run_dir / "cluster.safetensors");
  if (!fs::exists(path))
    throw Error(fmt::format("{}: missing; run the {} stage first{}", path.string(), stage,
                            other ? ", or take the network of the one before, --stage cluster" : ""));
  return read_safetensors(path);
}

// In a run directory there may be exported files, and nothing else is written there by others than the stages.
bool is_of_the_run(const fs::path& file, const fs::path& run_dir) {
  std::error_code ignored;
  const fs::path folder = fs::weakly_canonical(file, ignored).parent_path();
  return folder == fs::weakly_canonical(run_dir / "x", ignored).parent_path() && file.extension() != ".onnx";
}

int clusters_in(const SafeTensors& weights) {
  const auto bias = weights.arrays.find("cluster_head.0.bias");
  if (bias == weights.arrays.end() || bias->second.shape.size() != 1)
    throw Error(weights.file + ": no cluster head (a vector cluster_head.0.bias expected)");
  return static_cast<int>(bias->second.shape[0]);
}

void describe(OnnxGraph& graph, const RunConfig& config, const Images& images, const Exported& e) {
  const std::span mean(images.mean, static_cast<size_t>(images.channels)), std(images.std, mean.size());
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"kith.version", KITH_VERSION},
           {"kith.stage", e.stage},
           {"kith.network", fmt::format("ResNet-{}, width {}", config.model.depth, config.model.width)},
           {"kith.data", config.data.spec.substr(0, config.data.spec.find(':'))},
           {"kith.clusters", std::to_string(e.clusters)},
           {"kith.images", fmt::format("{} x {} x {}, NCHW, {}, values 0..1 (bytes / 255)", images.channels,
                                       images.height, images.width, images.channels == 3 ? "RGB" : "gray")},
           {"kith.mean", fmt::format("{}", fmt::join(mean, " "))},
           {"kith.std", fmt::format("{}", fmt::join(std, " "))},
           {"kith.normalisation", "(x - mean) / std, in the graph"},
           {"kith.resize",
            config.data.size > 0
                ? fmt::format("not in the graph: exact area averages to {} x {}, rounded to whole bytes, halves up",
                              images.height, images.width)
                : "none"},
           {"kith.features", "pooled features of the backbone, not normalised"}})
    graph.metadata(key, value);
}

}  // namespace

Exported export_onnx(const fs::path& run_dir, const std::string& stage, const fs::path& file) {
  if (!fs::exists(run_dir / "config.toml"))
    throw Error(run_dir.string() + ": no run directory (it has no config.toml)");
  const RunConfig config = load_config((run_dir / "config.toml").string(), {});
  Exported e{.stage = !stage.empty()          ? stage
                      : config.refine.enabled ? "refine"
                                              : clustered_stage(config),
             .images = {}};
  const SafeTensors weights = weights_of(run_dir, e.stage);
  if (is_of_the_run(file, run_dir))
    throw Error(file.string() + ": is a file of the run, which is only read; expected another name, ending in .onnx");
  const Images images = images_of(weights);
  e.clusters = clusters_in(weights);
  e.images = {images.channels, images.height, images.width};
  const ResNetConfig net{.depth = config.model.depth,
                         .width = config.model.width,
                         .in_channels = images.channels,
                         .stem = config.model.stem};
  e.features = net.features();

  OnnxGraph graph("kith");
  graph.input("images", {OnnxGraph::kBatch, images.channels, images.height, images.width});
  const std::string mean = graph.constant("mean", channels({images.mean, static_cast<size_t>(images.channels)}));
  const std::string std = graph.constant("std", channels({images.std, static_cast<size_t>(images.channels)}));
  const std::string x = graph.node("Div", {graph.node("Sub", {"images", mean}, "centred"), std}, "normalised");
  const NetworkResults results = add_network(graph, net, e.clusters, weights, x);
  graph.output(results.logits, {OnnxGraph::kBatch, e.clusters});
  graph.output(results.probabilities, {OnnxGraph::kBatch, e.clusters});
  graph.output(results.features, {OnnxGraph::kBatch, e.features});
  describe(graph, config, images, e);
  data::write_file(file, {data::as_bytes(graph.bytes("kith", KITH_VERSION))});
  return e;
}

}  // namespace kith
