// kith neighbours: the train images of a run that are most like a picture.
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/answers/answer_commands.h"
#include "apps/answers/answer_options.h"
#include "apps/answers/predictions.h"
#include "apps/number_options.h"
#include "apps/output_file.h"
#include "apps/output_kinds.h"
#include "data/dataset/digest.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "scan/metrics/neighbour_search.h"
#include "scan/run/artifacts.h"
#include "scan/run/changed_results.h"
#include "scan/run/remedy.h"
#include "scan/run/stage_records.h"
#include "scan/stages/answers.h"
#include "scan/text/csv.h"

namespace kith {
namespace {

constexpr char kNeighboursHeader[] = "image,rank,neighbour,similarity\n";

struct NeighboursOptions {
  AnswerOptions asked;
  int64_t k = 10;
  std::string out;
};

// The evaluation, by its record.
bool has_left(const std::filesystem::path& run_dir, const std::string& file) {
  const StageRecords records = read_records(run_dir);
  const auto evaluated = records.find("evaluate");
  return evaluated != records.end() && evaluated->second.outputs.contains(file);
}

// What to call the train images: their files, where the run knows them.
std::vector<std::string> train_names(const std::filesystem::path& run_dir, int64_t count) {
  const std::filesystem::path path = files_path(run_dir, "train");
  const auto warn = [](const std::string& text) { fmt::print(stderr, "kith: warning: {}\n", text); };
  std::vector<std::string> names;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json name = nlohmann::json::parse(line, nullptr, false);
    if (!name.is_string())
      throw Error(
          fmt::format("{}: line {}: expected a JSON text, the path of a train image; kith evaluate --out {} "
                      "writes it anew",
                      path.string(), names.size() + 1, run_dir.string()));
    names.push_back(name.get<std::string>());
  }
  if (static_cast<int64_t>(names.size()) == count) {
    for (const std::string& line : changes_since_evaluation(run_dir, {{path.filename().string(), "names are of it"}}))
      warn(line);
    return names;
  }
  if (const bool there = std::filesystem::exists(path); there || has_left(run_dir, path.filename().string()))
    warn(fmt::format("{}: {}: they go by their numbers; kith evaluate --out {} makes it anew", path.string(),
                     there ? fmt::format("{} names for {} train images", names.size(), count)
                           : "missing, which has the names of the train images",
                     run_dir.string()));
  names.clear();
  for (int64_t i = 0; i < count; ++i) names.push_back(fmt::format("train/{}", i));
  return names;
}

// Of the weights as they are: as their stage recorded it, where it did.
std::string digest_of_weights(const TrainedRun& run, const StageRecords& records) {
  const std::filesystem::path file = run.weights.file;
  if (const auto made = records.find("pretext"); made != records.end() && !made->second.under_way)
    if (const auto at = made->second.outputs.find(file.filename().string()); at != made->second.outputs.end())
      return at->second;
  return data::digest_of_file(file);
}

// Rows of another network have nothing in common with what this one makes of a picture, be they as long.
void expect_rows_of_the_network(const TrainedRun& run, const std::filesystem::path& path) {
  const StageRecords records = read_records(run.dir);
  const auto record = records.find("features");
  const auto is = [](const Origin::Values& files, const std::filesystem::path& file, const std::string& digest) {
    const auto at = files.find(file.filename().string());
    return at != files.end() && at->second == digest;
  };
  if (record != records.end() && !record->second.under_way &&
      is(record->second.origin.inputs, run.weights.file, digest_of_weights(run, records)) &&
      is(record->second.outputs, path, data::digest_of_file(path)))
    return;
  throw Error(
      fmt::format("{}: not what the pretext's network made of the train images, so that others do not compare with "
                  "them",
                  path.string()));
}

// Rows that may well be right are not to be thrown away.
void expect_record_of_rows(const TrainedRun& run, const std::filesystem::path& path) {
  if (read_records(run.dir).contains("features")) return;
  const std::filesystem::path file = run.dir / "stages.json";
  throw Error(fmt::format(
      "{}: {}, which tells whether {} is what the pretext's network made of the train images; restore "
      "the file, or kith pretext --out {} makes the rows anew, of the weights that are there",
      file.string(), std::filesystem::exists(file) ? "the record of the stage features is missing" : "missing",
      path.filename().string(), run.dir.string()));
}

data::NpyArray<float> train_rows(const TrainedRun& run) {
  const std::filesystem::path path = features_path(run.dir, "train");
  expect_features(path);
  expect_record_of_rows(run, path);
  data::NpyArray<float> rows = or_remedy(made_anew_by("pretext"), [&] {
    data::npy_layout(path);  // whether it is whole, first
    expect_rows_of_the_network(run, path);
    return data::read_npy<float>(path);
  });
  if (rows.shape.size() != 2) throw Error(path.string() + ": expected [images, features]");
  return rows;
}

void run_neighbours(const NeighboursOptions& o) {
  expect_images_named(o.asked);
  expect_ending(o.out, "--out", ".csv");
  if (!o.out.empty()) {
    expect_writable(o.out, o.asked);
    expect_replaceable(o.out, "--out", text_kind("table of kith neighbours", {kNeighboursHeader}));
  }
  const Asked asked = open_asked(o.asked);
  const data::NpyArray<float> train = train_rows(asked.run);
  if (o.k > train.shape[0]) throw Error(fmt::format("--k {}: the run has {} train images", o.k, train.shape[0]));
  const std::vector<std::string> names = train_names(asked.run.dir, train.shape[0]);
  const NeighbourSearch search(*asked.context, {train.values.data(), train.shape[0], train.shape[1]});
  std::string text = kNeighboursHeader;
  for (const NamedImages& part : images_asked_about(o.asked, asked.run)) {
    const ImageFeatures rows = features(*asked.context, *asked.report, asked.run, part.images);
    if (rows.columns != train.shape[1])
      throw Error(fmt::format("{}: rows of {} features; the pretext's network has {}",
                              features_path(asked.run.dir, "train").string(), train.shape[1], rows.columns));
    const NeighbourSearch::Lists found = search({rows.values.data(), rows.rows, rows.columns}, o.k);
    for (int64_t i = 0; i < rows.rows; ++i)
      for (int64_t n = 0; n < o.k; ++n) {
        const auto at = static_cast<size_t>(i * o.k + n);
        text += fmt::format("{},{},{},{:.6g}\n", csv_field(part.names[static_cast<size_t>(i)]), n + 1,
                            csv_field(names[static_cast<size_t>(found.index[at])]), found.score[at]);
      }
  }
  if (o.out.empty())
    fmt::print("{}", text);
  else
    data::write_file(o.out, {data::as_bytes(text)});
}

}  // namespace

void add_neighbours_command(CLI::App& app) {
  auto o = std::make_shared<NeighboursOptions>();
  CLI::App* command = app.add_subcommand("neighbours", "The train images of a run that are most like given images");
  add_answer_options(*command, o->asked);
  o->asked.stage = "pretext";
  o->asked.of_rows = "kith mine --features FILE --out I.npy finds the neighbours of rows";
  whole_number(command->add_option("--k", o->k, "Neighbours of each image"), 1, 4096)->capture_default_str();
  command->add_option("--out", o->out, "CSV file; default: standard output");
  command->callback([o] { run_neighbours(*o); });
}

}  // namespace kith
