// kith graph: neighbour lists as a graph, of a run or of arrays; a graph comes back in by kith mine --neighbours.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <iterator>
#include <memory>
#include <string>

#include "apps/answers/answer_commands.h"
#include "apps/answers/answer_options.h"
#include "data/formats/csr.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "scan/run/artifacts.h"

namespace kith {
namespace {

using std::filesystem::path;

struct GraphOptions {
  std::string run, split = "train", neighbours, scores, out;
};

template <class T>
data::NpyArray<T> read_table(const path& file, const char* stage) {
  if (!std::filesystem::exists(file))
    throw Error(fmt::format("{}: missing{}", file.string(),
                            *stage ? fmt::format("; run the {} stage first", stage) : std::string()));
  data::NpyArray<T> table = data::read_npy<T>(file);
  if (table.shape.size() != 2)
    throw Error(fmt::format("{}: shape [{}], expected [rows, columns]", file.string(), fmt::join(table.shape, ", ")));
  return table;
}

// Edges of each row in the order of its list. `similarity` is asked for row, column of the list and neighbour; NaN and -1 are
// none.
template <class Similarity>
data::CsrGraph graph_of(const data::NpyArray<int64_t>& lists, const path& file, Similarity&& similarity) {
  const int64_t rows = lists.shape[0], k = lists.shape[1];
  data::CsrGraph graph{.rows = rows, .columns = rows, .starts = {0}, .indices = {}, .values = {}};
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t n = 0; n < k; ++n) {
      const int64_t j = lists.values[static_cast<size_t>(i * k + n)];
      if (j == -1) continue;
      if (j < 0 || j >= rows)
        throw Error(fmt::format("{}: row {} has the neighbour {}, expected 0 to {}, or -1: none", file.string(), i, j,
                                rows - 1));
      const double value = similarity(i, n, j);
      if (std::isnan(value)) continue;
      graph.indices.push_back(j);
      graph.values.push_back(value);
    }
    graph.starts.push_back(static_cast<int64_t>(graph.indices.size()));
  }
  return graph;
}

data::CsrGraph graph_of_run(const GraphOptions& o) {
  if (!std::filesystem::exists(path(o.run) / "config.toml")) throw Error(o.run + ": " + no_run_directory(o.run));
  const path file = neighbours_path(o.run, o.split), of_features = features_path(o.run, o.split);
  const auto lists = read_table<int64_t>(file, "mine");
  const auto features = read_table<float>(of_features, "pretext");
  const int64_t columns = features.shape[1];
  if (features.shape[0] != lists.shape[0])
    throw Error(fmt::format("{}: {} rows, but {} in {}", of_features.string(), features.shape[0], lists.shape[0],
                            file.string()));
  return graph_of(lists, file, [&](int64_t i, int64_t, int64_t j) {
    const float *a = features.values.data() + i * columns, *b = features.values.data() + j * columns;
    double sum = 0;
    for (int64_t c = 0; c < columns; ++c) sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
    if (!std::isfinite(sum))
      throw Error(fmt::format("{}: the inner product of rows {} and {} is {}", of_features.string(), i, j, sum));
    return sum;
  });
}

data::CsrGraph graph_of_arrays(const GraphOptions& o) {
  const auto lists = read_table<int64_t>(o.neighbours, "");
  const auto scores = read_table<float>(o.scores, "");
  if (scores.shape != lists.shape)
    throw Error(fmt::format("{}: shape [{}], but [{}] of {}", o.scores, fmt::join(scores.shape, ", "),
                            fmt::join(lists.shape, ", "), o.neighbours));
  return graph_of(lists, o.neighbours, [&](int64_t i, int64_t n, int64_t) {
    return static_cast<double>(scores.values[static_cast<size_t>(i * scores.shape[1] + n)]);
  });
}

// As many digits as tell the f32 apart.
std::string edge_list(const data::CsrGraph& graph) {
  std::string text = "source,target,similarity\n";
  for (int64_t i = 0; i < graph.rows; ++i)
    for (int64_t e = graph.starts[static_cast<size_t>(i)]; e < graph.starts[static_cast<size_t>(i) + 1]; ++e)
      fmt::format_to(std::back_inserter(text), "{},{},{}\n", i, graph.indices[static_cast<size_t>(e)],
                     static_cast<float>(graph.values[static_cast<size_t>(e)]));
  return text;
}

void run_graph(const GraphOptions& o) {
  const bool npz = o.out.ends_with(".npz");
  if (!npz && !o.out.ends_with(".csv"))
    throw Error(fmt::format("--out {}: expected a name ending in .npz or .csv", o.out));
  AnswerOptions asked;
  asked.run = o.run;
  expect_writable(o.out, asked);
  if (o.run.empty() == o.neighbours.empty()) throw Error("expected either --run, or --neighbours and --scores");
  const data::CsrGraph graph = o.run.empty() ? graph_of_arrays(o) : graph_of_run(o);
  if (npz)
    data::write_csr(o.out, graph);
  else
    data::write_file(o.out, {data::as_bytes(edge_list(graph))});
  fmt::print("{}: {} edges of {} rows\n", o.out, graph.indices.size(), graph.rows);
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
      ->add_option("--out", o->out,
                   "File: .npz (CSR, as scipy.sparse.load_npz reads it) or .csv (source,target,similarity)")
      ->required();
  command->callback([o] { run_graph(*o); });
}

}  // namespace kith
