#include "scan/run/trained_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "data/dataset/digest.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "nn/model/resnet.h"
#include "scan/run/artifacts.h"
#include "scan/run/changed_results.h"
#include "scan/run/ledger.h"
#include "scan/run/lost_records.h"
#include "scan/run/own_folder.h"
#include "scan/run/progress.h"
#include "scan/run/recorded_images.h"
#include "scan/run/remedy.h"
#include "scan/run/stage_records.h"
#include "scan/run/stage_weights.h"
#include "scan/text/first_few.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// What the network was trained on, as the origin of its weights has it (data/dataset/digest.h).
data::Dataset trained_on(const SafeTensors& weights, const std::string& spec) {
  const auto origin = weights.metadata.find(kOriginKey);
  if (origin == weights.metadata.end())
    throw Error(fmt::format("{}: not written by a stage of kith (no {} in its metadata)", weights.file, kOriginKey));
  data::Dataset set{.spec = spec};
  try {
    const Origin::Values values = origin_from_json(json::parse(origin->second)).data;
    float *m = set.mean, *s = set.std;
    if (auto images = images_of_part(values.at("train images"));
        images &&
        std::sscanf(values.at("normalisation").c_str(), "%f %f %f / %f %f %f", m, m + 1, m + 2, s, s + 1, s + 2) == 6) {
      images->count = 0;
      set.edit(data::Role::train) = std::move(*images);
      return set;
    }
  } catch (const json::exception&) {
  } catch (const std::out_of_range&) {
  }
  throw Error(
      fmt::format("{}: unreadable {} in its metadata: the size of the train images and their normalisation "
                  "expected",
                  weights.file, kOriginKey));
}

// The stage of clusters before this one whose network is there; empty: none.
std::string stage_before(const fs::path& dir, const std::string& stage) {
  if (stage == "refine" && fs::exists(dir / "selflabel.safetensors")) return "selflabel";
  const bool follows = stage == "refine" || stage == "selflabel";
  return follows && fs::exists(dir / "cluster.safetensors") ? "cluster" : "";
}

// With their digest.
std::pair<SafeTensors, std::string> weights_of(const TrainedRun& run, const StageRecords& records) {
  const std::string name = run.stage + ".safetensors";
  const fs::path path = run.dir / name;
  if (!fs::exists(path)) {
    const std::string before = stage_before(run.dir, run.stage);
    const std::string other = before.empty() ? "" : ", or take the network of the one before, --stage " + before;
    if (is_worked_on(run.dir))
      throw Error(
          fmt::format("{}: not there yet: another kith is working in this directory; ask again when kith watch {} says "
                      "that it has finished{}",
                      path.string(), run.dir.string(), other));
    throw Error(fmt::format("{}: missing; run the {} stage first{}", path.string(), run.stage, other));
  }
  std::string digest = data::digest_of_file(path);
  if (was_changed(records, run.stage, name, digest)) throw changed_weights(path, stage_info(run.stage), run.config);
  return {read_stage_weights(path), std::move(digest)};
}

int clusters_in(const SafeTensors& weights) {
  const auto bias = weights.arrays.find("cluster_head.0.bias");
  if (bias == weights.arrays.end() || bias->second.shape.size() != 1)
    throw Error(weights.file + ": no cluster head (a vector cluster_head.0.bias expected)");
  return static_cast<int>(bias->second.shape[0]);
}

// Of the stage that left the file, where it is not as that wrote it; else empty.
std::string changed_maker(const StageRecords& records, const std::string& file, const std::string& digest) {
  for (const auto& [stage, record] : records)
    if (was_changed(records, stage, file, digest)) return stage;
  return "";
}

bool is_recorded(const StageRecords& records, const std::string& file) {
  return std::ranges::any_of(records, [&](const auto& of) { return of.second.outputs.contains(file); });
}

struct Change {
  std::string text = "";
  bool of_changed_file = false;
};

// Of the stage and of those that its inputs come from, the first change since they were made; images are not looked at.
Change change_since(const fs::path& dir, const RunConfig& config, const std::string& stage,
                    const SafeTensors& weights) {
  const StageRecords records = read_records(dir);
  const auto made_anew = [&](const std::string& what) {
    return Change{fmt::format("the network of the stage {} is not that of the run as it stands: {}", stage, what)};
  };
  std::map<std::string, std::string> digests;
  const auto change_of = [&](const StageInfo& info, const Origin& was) -> Change {
    Origin::Values fields = was.fields;
    if (config.cluster.classes == 0) fields.erase("cluster.classes");  // the data set's, which is not at hand
    const OriginDifference d = difference({.fields = fields}, {.fields = deciding_fields(config, info.affects)});
    if (d.any()) return made_anew(fmt::format("{} ({})", info.outputs.front(), d.text()));
    for (const auto& [file, digest] : was.inputs) {
      if (!fs::exists(dir / file)) continue;
      const auto [at, added] = digests.try_emplace(file);
      if (added) at->second = data::digest_of_file(dir / file);
      if (at->second == digest) continue;
      const std::string maker = changed_maker(records, file, at->second);
      if (maker.empty())
        return made_anew(file + (is_recorded(records, file) ? " was made anew since" : " has changed since"));
      return {fmt::format("{} is not what the stage {} made; the network of the stage {} was made before", file, maker,
                          stage),
              true};
    }
    return {};
  };
  const StageInfo& own = stage_info(stage);
  for (const StageInfo* info : stages_before(own)) {
    const auto record = records.find(info->name);
    if (record == records.end() || !takes_part(config, info->name)) continue;
    if (Change change = change_of(*info, record->second.origin); !change.text.empty()) return change;
  }
  return change_of(own, origin_from_json(json::parse(weights.metadata.at(kOriginKey))));
}

// `digest`: of the weights' file, here and below.
Told told_of(const StageRecords& records, const std::string& stage, const std::string& digest) {
  if (!was_evaluated(records, stage + ".safetensors", digest)) return Told::nothing;
  const Origin::Values& inputs = records.at("evaluate").origin.inputs;
  for (const char* last : {"refine", "selflabel", "cluster"})
    if (inputs.contains(last + std::string(".safetensors"))) return stage == last ? Told::all : Told::clusters;
  return Told::nothing;
}

json summary_of(const TrainedRun& run) {
  std::ifstream file(run.dir / "summary.json");
  return json::parse(file, nullptr, false);
}

std::string last_stage(const RunConfig& config) {
  return config.refine.enabled ? "refine" : config.selflabel.enabled ? "selflabel" : "cluster";
}

}  // namespace

TrainedRun open_run(const fs::path& dir, const std::string& stage, Telling telling) {
  if (!fs::exists(dir / "config.toml")) throw Error(dir.string() + ": " + no_run_directory(dir));
  TrainedRun run;
  run.dir = dir;
  run.config = config_of_run(dir);
  run.stage = stage;
  if (run.stage.empty()) run.stage = last_stage(run.config);
  const StageRecords records = read_records(dir);
  std::string digest;
  std::tie(run.weights, digest) = weights_of(run, records);
  expect_saved_network(dir, run.config);
  run.otherwise = recorded_images(dir, run.config).otherwise;
  expect_unchanged(run, {"data.spec", "data.size", "data.background"});
  run.recorded = records.contains(run.stage);
  run.like = trained_on(run.weights, run.config.data.spec);
  Change change = change_since(dir, run.config, run.stage, run.weights);
  run.superseded = std::move(change.text), run.of_changed_file = change.of_changed_file;
  if (run.stage == "pretext") return run;
  run.clusters = clusters_in(run.weights);
  run.told = told_of(records, run.stage, digest);
  run.telling = telling;
  if (!telling.distances && run.told == Told::all) run.told = Told::clusters;
  if (const fs::path summary = dir / "summary.json";
      telling.names && run.told != Told::nothing && fs::exists(summary) &&
      was_changed(records, "evaluate", "summary.json", data::digest_of_file(summary)))
    run.changed_summary = true;
  run.like.class_names.resize(static_cast<size_t>(run.clusters));
  run.config.cluster.classes = run.clusters;
  prototype_rows(run);  // which, damaged, are not to be doubted first
  return run;
}

void expect_unchanged(const TrainedRun& run, std::initializer_list<std::string_view> names) {
  std::vector<ReadOtherwise> changed = run.otherwise;
  std::erase_if(changed, [&](const ReadOtherwise& c) { return std::ranges::find(names, c.field) == names.end(); });
  if (!changed.empty()) throw changed_since_trained(run.dir, to_text(changed));
}

std::vector<float> prototype_rows(const TrainedRun& run) {
  const fs::path file = prototypes_path(run.dir);
  if (run.told != Told::all || !fs::exists(file)) return {};
  return or_remedy(fmt::format("kith evaluate --out {} makes a new one", run.dir.string()), [&] {
    data::NpyArray<float> rows = data::read_npy<float>(file);
    const ResNetConfig network{.depth = run.config.model.depth, .width = run.config.model.width};
    if (rows.shape != std::vector<int64_t>{run.clusters, network.features()})
      throw Error(fmt::format("{}: shape [{}, {}] expected; found {}", file.string(), run.clusters, network.features(),
                              to_string(rows.shape)));
    return std::move(rows.values);
  });
}

std::vector<std::string> doubts_about(const TrainedRun& run, const LookAhead& ahead) {
  std::vector<std::string> out;
  if (!run.superseded.empty()) {
    const Outlook next = ahead(run.dir);
    const bool later = run.stage == "selflabel" || run.stage == "refine";
    out.push_back(fmt::format(
        "{}: {}; {}{}", run.dir.string(), run.superseded,
        advice(next, run.dir, run.of_changed_file ? does_with_changed(next) : "brings it up to date"),
        later && !run.of_changed_file && next.refusal.empty() ? ", --stage cluster asks an earlier one" : ""));
  } else if (!run.otherwise.empty()) {
    out.push_back(advice(ahead(run.dir), run.dir, ""));
  }
  if (!run.recorded) out.push_back(unrecorded_text(run.dir, run.config, {run.stage}));
  if (run.changed_summary)
    out.push_back(summary_of(run).is_discarded()
                      ? fmt::format("{}: damaged: clusters go without names, if they had any; kith evaluate --out {} "
                                    "makes a new one",
                                    (run.dir / "summary.json").string(), run.dir.string())
                      : changed_text((run.dir / "summary.json").string(), "evaluate",
                                     "kith evaluate makes a new one; names are of it"));
  if (run.told == Told::all)
    for (std::string& line : changes_since_evaluation(run.dir, {{"prototypes.npy", "distances are to its rows"}}))
      out.push_back(std::move(line));
  return out;
}

std::vector<std::string> untold(const TrainedRun& run, const LookAhead& ahead) {
  if (run.clusters == 0 || !(run.telling.names || run.telling.distances)) return {};
  const auto missing = [&](const char* file) { return !fs::exists(run.dir / file); };
  // The evaluation alone, where nothing else is to be made before it.
  const auto evaluated_by = [&](const char* does) {
    const Outlook next = ahead(run.dir);
    const bool alone = next.clear() && std::ranges::count(next.stages, false, &PlannedStage::done) == 1;
    return alone ? fmt::format("; kith evaluate --out {} {}", run.dir.string(), does)
                 : "; " + advice(next, run.dir, does);
  };
  const StageRecords records = read_records(run.dir);
  if (!records.contains("evaluate")) {
    if (missing("summary.json")) return {};  // not evaluated, for all that is known
    return {
        fmt::format("{}: {}, which tells whether the evaluation is of this network: its clusters go without names and "
                    "distances{}",
                    (run.dir / "stages.json").string(),
                    missing("stages.json") ? "missing" : "the record of the evaluation is missing",
                    evaluated_by("gives them back"))};
  }
  if (run.told == Told::nothing) {
    if (missing("summary.json")) return {};
    return {fmt::format(
        "{}: the network of the stage {} was made anew since it was evaluated: its clusters go without names "
        "and distances{}",
        run.dir.string(), run.stage, evaluated_by("gives them back"))};
  }
  std::vector<std::string> out;
  const Origin::Values& data = records.at("evaluate").origin.data;
  const bool named = std::ranges::any_of(
      data, [](const auto& part) { return part.first.ends_with(" labels") && part.second != "none"; });
  if (run.telling.names && named && missing("summary.json"))
    out.push_back(fmt::format("{}: missing: clusters go without names, if they had any{}",
                              (run.dir / "summary.json").string(), evaluated_by("makes it anew")));
  if (run.told == Told::all && missing("prototypes.npy"))
    out.push_back(fmt::format("{}: missing: images go without distances{}", (run.dir / "prototypes.npy").string(),
                              evaluated_by("makes it anew")));
  return out;
}

std::string no_run_directory(const fs::path& dir) {
  std::error_code ignored;
  if (fs::exists(dir / "run.json", ignored))
    return "a run on rows of features, not on images; kith predict asks it with --features";
  if (std::string lost = lost_description(dir); !lost.empty()) return lost;
  if (fs::exists(dir / "metrics.jsonl", ignored) && !fs::exists(dir / "stages.json", ignored))
    return "the run here has not saved anything yet (it has no config.toml); ask again after its first checkpoint";
  const std::vector<std::string> runs = runs_in(dir);
  constexpr size_t kShown = 3;
  return runs.empty() ? "no run directory (it has no config.toml)"
                      : fmt::format("holds runs ({}); expected the directory of one, such as {}",
                                    first_few(runs, kShown), (dir / runs.front()).string());
}

std::vector<std::string> cluster_names(const TrainedRun& run) {
  std::vector<std::string> names(static_cast<size_t>(run.clusters));
  if (run.told == Told::nothing) return names;
  const json summary = summary_of(run);
  try {
    const json& final = summary.at("final");
    const json &classes = final.at("class_names"), &matching = final.at("matching");
    for (size_t c = 0; c < names.size() && c < matching.size(); ++c)
      if (matching[c].is_number_integer()) names[c] = classes.at(matching[c].get<size_t>()).get<std::string>();
  } catch (const json::exception&) {  // of a run without labels, or not evaluated yet
  }
  return names;
}

}  // namespace kith
