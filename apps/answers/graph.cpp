// kith graph: neighbour lists as a graph, of a run or of arrays; a graph comes back in by kith mine --neighbours.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/answers/answer_commands.h"
#include "apps/answers/answer_options.h"
#include "apps/output_kinds.h"
#include "data/dataset/digest.h"
#include "data/formats/counted.h"
#include "data/formats/csr.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "kernels/index/neighbour_graph.h"
#include "scan/run/artifacts.h"
#include "scan/run/lost_records.h"
#include "scan/run/own_folder.h"
#include "scan/run/remedy.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

using std::filesystem::path;

constexpr char kEdgeHeader[] = "source,target,similarity\n";

struct GraphOptions {
  std::string run, split = "train", neighbours, scores, form = "listed", out;
};

template <class T>
data::NpyArray<T> read_table(const path& file, const char* stage) {
  if (!std::filesystem::exists(file))
    throw Error(fmt::format("{}: missing{}", file.string(),
                            *stage ? fmt::format("; run the {} stage first", stage) : std::string()));
  const auto read = [&] { return data::read_npy<T>(file); };
  data::NpyArray<T> table = *stage ? or_remedy(made_anew_by(stage), read) : read();
  if (table.shape.size() != 2)
    throw Error(fmt::format("{}: shape [{}], expected [rows, columns]", file.string(), fmt::join(table.shape, ", ")));
  return table;
}

// Lists [rows, k] and the similarity of each of their places; -1 and NaN where there is no neighbour.
struct NeighbourTable {
  data::NpyArray<int64_t> lists;
  std::vector<double> values;
};

// Who reads the graph may add up what stands there twice.
void expect_each_once(std::span<const int64_t> list, int64_t row, const path& file) {
  std::vector<int64_t> sorted(list.begin(), list.end());
  std::ranges::sort(sorted);
  const auto first = std::ranges::lower_bound(sorted, 0);
  if (const auto twice = std::adjacent_find(first, sorted.end()); twice != sorted.end())
    throw Error(fmt::format("{}: row {} has the neighbour {} twice; expected each once", file.string(), row, *twice));
}

// `similarity` is asked for row, column of the list and neighbour; NaN is none.
template <class Similarity>
NeighbourTable table_of(data::NpyArray<int64_t> lists, const path& file, Similarity&& similarity) {
  const int64_t rows = lists.shape[0], k = lists.shape[1];
  NeighbourTable table{.lists = std::move(lists), .values = {}};
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t n = 0; n < k; ++n) {
      int64_t& j = table.lists.values[static_cast<size_t>(i * k + n)];
      if (j < -1 || j >= rows)
        throw Error(fmt::format("{}: row {} has the neighbour {}, expected 0 to {}, or -1: none", file.string(), i, j,
                                rows - 1));
      table.values.push_back(j == -1 ? std::numeric_limits<double>::quiet_NaN() : similarity(i, n, j));
      if (std::isnan(table.values.back())) j = -1;
    }
    expect_each_once(std::span(table.lists.values).subspan(static_cast<size_t>(i * k), static_cast<size_t>(k)), i,
                     file);
  }
  return table;
}

// Lists that the run found among other rows than those that are there now have no similarities. Other lists than it found are used,
// and those of which nothing is on record: lines that say so.
std::vector<std::string> expect_rows_of_the_lists(const path& run, const path& lists, const path& rows) {
  const StageRecords records = read_records(run);
  const auto mined = records.find("mine");
  const RunConfig config = config_of_run(run);
  std::vector<std::string> unrecorded = unrecorded_stages(run, config);
  std::erase_if(unrecorded, [](const std::string& stage) { return stage != "features" && stage != "mine"; });
  std::vector<std::string> doubts;
  if (!unrecorded.empty()) doubts.push_back(unrecorded_text(run, config, unrecorded));
  if (mined == records.end() || !mined->second.outputs.contains(lists.filename().string()))
    return doubts;  // others found them
  if (was_changed(records, "mine", lists.filename().string(), data::digest_of_file(lists))) {
    doubts.push_back(
        changed_text(lists.string(), "mine", fmt::format("kith mine --out {} makes new ones", run.string())));
    return doubts;
  }
  const auto at = mined->second.origin.inputs.find(rows.filename().string());
  if (at != mined->second.origin.inputs.end() && at->second != data::digest_of_file(rows))
    throw Error(fmt::format("{}: changed since {} was made of it; kith mine --out {} makes the lists anew",
                            rows.string(), lists.filename().string(), run.string()));
  return doubts;
}

NeighbourTable table_of_run(const GraphOptions& o) {
  refuse_rows(o.run,
              "kith mine --features FILE --out I.npy --scores S.npy lists the neighbours of rows, of which "
              "kith graph --neighbours I.npy --scores S.npy makes a graph");
  if (!std::filesystem::exists(path(o.run) / "config.toml")) throw Error(o.run + ": " + no_run_directory(o.run));
  const path file = neighbours_path(o.run, o.split), of_features = features_path(o.run, o.split);
  auto lists = read_table<int64_t>(file, "mine");
  const auto features = read_table<float>(of_features, "pretext");
  const std::vector<std::string> doubts = expect_rows_of_the_lists(o.run, file, of_features);
  const int64_t columns = features.shape[1];
  if (features.shape[0] != lists.shape[0])
    throw Error(fmt::format("{}: {} rows, but {} in {}", of_features.string(), features.shape[0], lists.shape[0],
                            file.string()));
  NeighbourTable table = table_of(std::move(lists), file, [&](int64_t i, int64_t, int64_t j) {
    const float *a = features.values.data() + i * columns, *b = features.values.data() + j * columns;
    double sum = 0;
    for (int64_t c = 0; c < columns; ++c) sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
    if (!std::isfinite(sum))
      throw Error(fmt::format("{}: the inner product of rows {} and {} is {}", of_features.string(), i, j, sum));
    return sum;
  });
  for (const std::string& doubt : doubts) fmt::print(stderr, "kith: warning: {}\n", doubt);
  return table;
}

NeighbourTable table_of_arrays(const GraphOptions& o) {
  auto lists = read_table<int64_t>(o.neighbours, "");
  const auto scores = read_table<float>(o.scores, "");
  if (scores.shape != lists.shape)
    throw Error(fmt::format("{}: shape [{}], but [{}] of {}", o.scores, fmt::join(scores.shape, ", "),
                            fmt::join(lists.shape, ", "), o.neighbours));
  return table_of(std::move(lists), o.neighbours, [&](int64_t i, int64_t n, int64_t) {
    return static_cast<double>(scores.values[static_cast<size_t>(i * scores.shape[1] + n)]);
  });
}

// Edges of each row in the order of its list.
data::CsrGraph as_listed(const NeighbourTable& t) {
  const int64_t rows = t.lists.shape[0], k = t.lists.shape[1];
  data::CsrGraph graph{.rows = rows, .columns = rows, .starts = {0}, .indices = {}, .values = {}};
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t place = i * k; place < (i + 1) * k; ++place) {
      if (t.lists.values[static_cast<size_t>(place)] == -1) continue;
      graph.indices.push_back(t.lists.values[static_cast<size_t>(place)]);
      graph.values.push_back(t.values[static_cast<size_t>(place)]);
    }
    graph.starts.push_back(static_cast<int64_t>(graph.indices.size()));
  }
  return graph;
}

// Of an edge that both rows list with different similarities the symmetric graph has the greater one, the mutual one the smaller.
data::CsrGraph in_both_directions(const NeighbourTable& t, kernels::GraphForm form) {
  const int64_t rows = t.lists.shape[0];
  kernels::NeighbourGraph joined = kernels::neighbour_graph({t.lists.values.data(), rows, t.lists.shape[1]}, form);
  data::CsrGraph graph{.rows = rows,
                       .columns = rows,
                       .starts = std::move(joined.starts),
                       .indices = std::move(joined.columns),
                       .values = {}};
  const auto value = [&](int64_t place) {
    return place == kernels::NeighbourGraph::kNone ? std::numeric_limits<double>::quiet_NaN()
                                                   : t.values[static_cast<size_t>(place)];
  };
  for (size_t e = 0; e < joined.own.size(); ++e) {
    const double own = value(joined.own[e]), other = value(joined.other[e]);  // fmax and fmin leave out what is none
    graph.values.push_back(form == kernels::GraphForm::mutual ? std::fmin(own, other) : std::fmax(own, other));
  }
  return graph;
}

data::CsrGraph graph_of(const NeighbourTable& t, const std::string& form) {
  if (form == "listed") return as_listed(t);
  return in_both_directions(t, form == "mutual" ? kernels::GraphForm::mutual : kernels::GraphForm::symmetric);
}

// As many digits as tell the f32 apart.
std::string edge_list(const data::CsrGraph& graph) {
  std::string text = kEdgeHeader;
  for (int64_t i = 0; i < graph.rows; ++i)
    for (int64_t e = graph.starts[static_cast<size_t>(i)]; e < graph.starts[static_cast<size_t>(i) + 1]; ++e)
      fmt::format_to(std::back_inserter(text), "{},{},{}\n", i, graph.indices[static_cast<size_t>(e)],
                     static_cast<float>(graph.values[static_cast<size_t>(e)]));
  return text;
}

void run_graph(const GraphOptions& o) {
  if (o.run.empty() && o.neighbours.empty()) throw CLI::RequiredError("--run or --neighbours");
  const bool npz = o.out.ends_with(".npz");
  if (!npz && !o.out.ends_with(".csv"))
    throw Error(fmt::format("--out {}: expected a name ending in .npz or .csv", o.out));
  AnswerOptions asked;
  asked.run = o.run;
  expect_writable(o.out, asked);
  expect_replaceable(o.out, "--out", npz ? graph_kind() : text_kind("list of kith graph", {kEdgeHeader}));
  const data::CsrGraph graph = graph_of(o.run.empty() ? table_of_arrays(o) : table_of_run(o), o.form);
  if (npz)
    data::write_csr(o.out, graph);
  else
    data::write_file(o.out, {data::as_bytes(edge_list(graph))});
  fmt::print("{}: {} of {}\n", o.out, data::counted(graph.indices.size(), "edge"), data::counted(graph.rows, "row"));
}

}  // namespace

void add_graph_command(CLI::App& app) {
  auto o = std::make_shared<GraphOptions>();
  CLI::App* command = app.add_subcommand(
      "graph", "Neighbour lists as a graph; one comes back in by kith mine --out RUN --neighbours FILE");
  CLI::Option* run =
      command->add_option("--run", o->run, "Run directory: its lists, and inner products of its features");
  command->add_option("--split", o->split, "Images of the run")
      ->check(CLI::IsMember({"train", "test"}))
      ->capture_default_str();
  CLI::Option* neighbours =
      command->add_option("--neighbours", o->neighbours, "Or lists of this .npy, [rows, k]; -1 is none")->excludes(run);
  CLI::Option* scores =
      command->add_option("--scores", o->scores, "The similarities of --neighbours, .npy, [rows, k]; NaN is none");
  scores->needs(neighbours);
  neighbours->needs(scores);
  command
      ->add_option("--form", o->form,
                   "Edges: from a row to those that it lists, or both ways where one lists the other, or where both do")
      ->check(CLI::IsMember({"listed", "symmetric", "mutual"}))
      ->capture_default_str();
  command
      ->add_option("--out", o->out,
                   "File: .npz (CSR, as scipy.sparse.load_npz reads it) or .csv (source,target,similarity)")
      ->required();
  command->callback([o] { run_graph(*o); });
}

}  // namespace kith
