#include "apps/arrays.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/files.h"
#include "data/npy.h"
#include "kernels/core/check.h"
#include "kernels/l2_normalize.h"
#include "scan/evaluation.h"
#include "scan/search.h"

namespace kith {
namespace {

using data::Array;
using std::filesystem::path;

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out;
  for (const int64_t extent : shape) out += fmt::format("{}{}", out.empty() ? "" : ", ", extent);
  return fmt::format("[{}]", out);
}

template <class T>
Array<T> read(const path& file, size_t rank, const char* expected) {
  Array<T> array = data::read_npy<T>(file);
  if (array.shape.size() != rank)
    throw Error(fmt::format("{}: shape {}; expected {}", file.string(), shape_text(array.shape), expected));
  return array;
}

void expect_finite(const path& file, const Array<float>& array) {
  const auto bad = std::find_if(array.values.begin(), array.values.end(), [](float v) { return !std::isfinite(v); });
  if (bad == array.values.end()) return;
  const int64_t at = bad - array.values.begin();
  throw Error(fmt::format("{}: value [{}, {}] is {}; expected finite features", file.string(), at / array.shape[1],
                          at % array.shape[1], *bad));
}

// Inner products rank by angle only when the rows have one length.
void warn_unless_unit(const path& file, const Matrix<const float>& rows) {
  double least = 1, most = 1;
  for (int64_t i = 0; i < rows.rows; ++i) {
    double square = 0;
    for (const float v : rows.row(i)) square += double{v} * v;
    least = std::min(least, std::sqrt(square));
    most = std::max(most, std::sqrt(square));
  }
  constexpr double kSlack = 1e-2;  // rows normalised in half precision
  if (least < 1 - kSlack || most > 1 + kSlack)
    fmt::print(
        stderr,
        "kith: warning: {}: rows have lengths {:.4g} to {:.4g}, so long rows attract; --normalize searches by angle\n",
        file.string(), least, most);
}

// Before the search, which may be long.
void expect_folder_of(const path& file) {
  std::error_code ignored;
  if (file.has_parent_path() && !std::filesystem::is_directory(file.parent_path(), ignored))
    throw Error(fmt::format("{}: cannot create: no such folder", file.string()));
}

// Identifiers need not be dense, but a negative one is a mark (no class, padding).
void expect_ids(const path& file, const Array<int64_t>& ids, int64_t least, const char* expected) {
  const auto bad = std::find_if(ids.values.begin(), ids.values.end(), [&](int64_t id) { return id < least; });
  if (bad != ids.values.end())
    throw Error(
        fmt::format("{}: value [{}] is {}; expected {}", file.string(), bad - ids.values.begin(), *bad, expected));
}

std::vector<int32_t> column_numbers(const path& file, const Array<int64_t>& assignments, int64_t columns) {
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

int mine_arrays(Context& ctx, const MineArrays& options) {
  for (const path& file : {options.out, options.scores}) expect_folder_of(file);
  Array<float> features = read<float>(options.features, 2, "[rows, dimensions]");
  expect_finite(options.features, features);
  if (features.shape[0] < 2)
    throw Error(fmt::format("{}: {} rows; expected at least 2", options.features.string(), features.shape[0]));
  const Matrix<float> rows{features.values.data(), features.shape[0], features.shape[1]};
  constexpr int64_t kLargest = 4096;  // of kernels::topk
  const int64_t most = std::min(kLargest, rows.rows - (options.include_self ? 0 : 1));
  if (options.k < 1 || options.k > most)
    throw Error(
        fmt::format("{}: k is {}; expected 1..{} for {} rows", options.features.string(), options.k, most, rows.rows));
  if (options.normalize) {  // on the CPU: the rows are here, and one pass over them is less than their way to a device
    std::vector<float> unit(features.values.size()), norms(rows.rows);
    kernels::l2_normalize_forward({.x = rows, .y = {unit.data(), rows.rows, rows.cols}, .norm = norms}, Queue{});
    std::copy(unit.begin(), unit.end(), rows.data);
  } else {
    warn_unless_unit(options.features, rows);
  }

  const NeighbourSearch::Lists found = NeighbourSearch(ctx, rows)(rows, options.k, !options.include_self);
  data::write_npy<int64_t>(options.out, found.index, {rows.rows, options.k});
  if (!options.scores.empty()) data::write_npy<float>(options.scores, found.score, {rows.rows, options.k});
  fmt::print("{} neighbours of each of {} rows: {}\n", options.k, rows.rows, options.out.string());
  return 0;
}

int evaluate_arrays(const EvaluateArrays& options) {
  const auto assignments = read<int64_t>(options.assignments, 1, "[n]"),
             labels = read<int64_t>(options.labels, 1, "[n]");
  const bool known = !options.probabilities.empty();  // the number of clusters, from their columns
  expect_ids(options.assignments, assignments, known ? 0 : -1,
             known ? "a column of the probabilities" : "a cluster, or -1 for noise");
  expect_ids(options.labels, labels, 0, "a class; leave samples without one out of every file");
  const Numbered clusters = numbered(assignments.values), classes = numbered(labels.values);
  EvaluationInput in{.assignments = clusters.of, .labels = classes.of, .class_ids = classes.ids};
  Array<float> probabilities;
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
