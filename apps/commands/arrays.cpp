#include "apps/commands/arrays.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/output_file.h"
#include "apps/output_kinds.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "scan/metrics/evaluation.h"

namespace kith {
namespace {

using data::NpyArray;
using std::filesystem::path;

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out;
  for (const int64_t extent : shape) out += fmt::format("{}{}", out.empty() ? "" : ", ", extent);
  return fmt::format("[{}]", out);
}

template <class T>
NpyArray<T> read(const path& file, size_t rank, const char* expected) {
  NpyArray<T> array = data::read_npy<T>(file);
  if (array.shape.size() != rank)
    throw Error(fmt::format("{}: shape {}; expected {}", file.string(), shape_text(array.shape), expected));
  return array;
}

// Identifiers need not be dense, but a negative one is a mark (no class, padding).
void expect_ids(const path& file, const NpyArray<int64_t>& ids, int64_t least, const char* expected) {
  const auto bad = std::find_if(ids.values.begin(), ids.values.end(), [&](int64_t id) { return id < least; });
  if (bad != ids.values.end())
    throw Error(
        fmt::format("{}: value [{}] is {}; expected {}", file.string(), bad - ids.values.begin(), *bad, expected));
}

std::vector<int32_t> column_numbers(const path& file, const NpyArray<int64_t>& assignments, int64_t columns) {
  std::vector<int32_t> out;
  out.reserve(assignments.values.size());
  for (const int64_t a : assignments.values) {
    if (a >= columns)
      throw Error(fmt::format("{}: value [{}] is {}; expected less than the {} columns of the probabilities",
                              file.string(), out.size(), a, columns));
    out.push_back(static_cast<int32_t>(a));
  }
  return out;
}

}  // namespace

NpyArray<int64_t> read_column(const path& file, const char* expected) {
  NpyArray<int64_t> array = data::read_npy<int64_t>(file);
  if (array.shape.size() == 2 && array.shape[1] == 1) array.shape.pop_back();
  if (array.shape.size() != 1)
    throw Error(fmt::format("{}: shape {}; expected {}", file.string(), shape_text(array.shape), expected));
  return array;
}

int evaluate_arrays(const EvaluateArrays& options) {
  if (!options.confusion.empty()) {
    expect_ending(options.confusion, "--confusion", ".csv");
    expect_creatable(options.confusion);
  }
  for (const path& input : {options.assignments, options.labels, options.probabilities})
    if (!options.confusion.empty() && !input.empty() && data::would_touch(options.confusion, input))
      throw Error(fmt::format("{}: writing it would replace the input {}; give the output another name",
                              options.confusion.string(), input.string()));
  if (!options.confusion.empty())
    expect_replaceable(options.confusion, "--confusion", text_kind("table of kith evaluate", {"cluster,class,size"}));
  const auto assignments = read_column(options.assignments, "[n]"), labels = read_column(options.labels, "[n]");
  const bool known = !options.probabilities.empty();  // the number of clusters, from their columns
  expect_ids(options.assignments, assignments, known ? 0 : -1,
             known ? "a column of the probabilities" : "a cluster, or -1 for noise");
  expect_ids(options.labels, labels, 0, "a class; leave samples without one out of every file");
  const Numbered clusters = numbered(assignments.values), classes = numbered(labels.values);
  EvaluationInput in{.assignments = clusters.of, .labels = classes.of, .class_ids = classes.ids};
  NpyArray<float> probabilities;
  std::vector<int32_t> columns;
  if (known) {
    probabilities = read<float>(options.probabilities, 2, "[n, clusters]");
    in.probabilities = {probabilities.values.data(), probabilities.shape[0], probabilities.shape[1]};
    columns = column_numbers(options.assignments, assignments, probabilities.shape[1]);
    in.assignments = columns;
  } else {
    in.cluster_ids = clusters.ids;
  }
  const Evaluation evaluation = evaluate_clustering(in);
  for (const std::string& warning : evaluation.warnings) fmt::print(stderr, "kith: warning: {}\n", warning);
  if (!options.confusion.empty()) data::write_file(options.confusion, {data::as_bytes(confusion_csv(evaluation))});
  fmt::print("{}", options.json ? to_json(evaluation).dump(2) + "\n" : to_text(evaluation));
  return 0;
}

}  // namespace kith
