// kith mine --features: neighbours among the rows of anyone's array.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "apps/commands/arrays.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "scan/metrics/neighbour_search.h"

namespace kith {
namespace {

using data::NpyArray;
using std::filesystem::path;

constexpr double kLargest = std::numeric_limits<float>::max(), kLeast = std::numeric_limits<float>::min();

// Before the search, which may be long.
void check_output(const path& file, const path& features) {
  expect_creatable(file);
  if (data::would_touch(file, features))
    throw Error(fmt::format("{}: writing it would replace the features {}; give the output another name", file.string(),
                            features.string()));
}

void check_outputs(const MineArrays& options) {
  check_output(options.out, options.features);
  if (options.scores.empty()) return;
  check_output(options.scores, options.features);
  if (data::would_touch(options.out, options.scores) || data::would_touch(options.scores, options.out))
    throw Error(fmt::format("{}: --out and --scores are one file; give them different names", options.out.string()));
}

NpyArray<double> read_features(const MineArrays& options) {
  NpyArray<double> array = data::read_npy<double>(options.features);
  const std::string name = options.features.string();
  if (array.shape.size() != 2)
    throw Error(fmt::format("{}: shape [{}]; expected [rows, dimensions]", name, fmt::join(array.shape, ", ")));
  if (array.shape[1] < 1) throw Error(fmt::format("{}: rows of 0 dimensions; expected at least 1", name));
  const auto bad = std::find_if(array.values.begin(), array.values.end(), [](double v) { return !std::isfinite(v); });
  if (bad != array.values.end()) {
    const int64_t at = bad - array.values.begin();
    throw Error(fmt::format("{}: value [{}, {}] is {}; expected finite features", name, at / array.shape[1],
                            at % array.shape[1], *bad));
  }
  if (array.shape[0] < 2) throw Error(fmt::format("{}: {} rows; expected at least 2", name, array.shape[0]));
  constexpr int64_t kMost = 4096;  // of kernels::topk
  const int64_t most = std::min(kMost, array.shape[0] - (options.include_self ? 0 : 1));
  if (options.k < 1 || options.k > most)
    throw Error(fmt::format("{}: k is {}; expected 1..{} for {} rows", name, options.k, most, array.shape[0]));
  return array;
}

// Scales every row to unit length. By the largest element first: no square overflows or vanishes.
void normalize(NpyArray<double>& array, const path& file) {
  const int64_t dim = array.shape[1];
  int64_t zeros = 0, first_zero = 0;
  for (int64_t i = 0; i < array.shape[0]; ++i) {
    const std::span<double> row{array.values.data() + i * dim, static_cast<size_t>(dim)};
    double largest = 0, square = 0;
    for (const double v : row) largest = std::max(largest, std::abs(v));
    if (largest == 0) {
      if (zeros++ == 0) first_zero = i;
      continue;
    }
    for (double& v : row) v /= largest, square += v * v;
    const double length = std::sqrt(square);
    for (double& v : row) v /= length;
  }
  if (zeros != 0)
    fmt::print(
        stderr,
        "kith: warning: {}: row {} is zero{}: without a direction, its neighbours are the rows in order of index\n",
        file.string(), first_zero, zeros == 1 ? "" : fmt::format(", and {} more", zeros - 1));
}

// Operands of the search. `less` was subtracted from the rows of `database`, or is empty: then they are the queries.
struct SearchedRows {
  std::vector<float> queries, database;
  std::vector<double> less;
};

// Unit rows. Where they lie within a narrow cone, products near 1 would lose in f32 what tells them apart: the mean is taken
// from the database, in f64, before rounding. <q, x - m> orders rows as <q, x> does.
SearchedRows unit_rows(const NpyArray<double>& array) {
  const int64_t rows = array.shape[0], dim = array.shape[1];
  SearchedRows out;
  out.queries.assign(array.values.begin(), array.values.end());
  std::vector<double> mean(dim);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t d = 0; d < dim; ++d) mean[d] += array.values[i * dim + d] / static_cast<double>(rows);
  double square = 0;
  for (const double m : mean) square += m * m;
  constexpr double kNarrow = 1. / 64;  // the rows' mean squared distance from their mean, 1 - |m|^2
  if (1 - square >= kNarrow) return out;
  out.database.resize(array.values.size());
  for (size_t i = 0; i < array.values.size(); ++i)
    out.database[i] = static_cast<float>(array.values[i] - mean[i % mean.size()]);
  out.less = std::move(mean);
  return out;
}

// Rows as they are, in f32. Elements may vanish, rows not.
SearchedRows rows_as_given(const NpyArray<double>& array, const path& file) {
  const int64_t dim = array.shape[1];
  double least = std::numeric_limits<double>::infinity(), most = 0;
  for (int64_t i = 0; i < array.shape[0]; ++i) {
    double square = 0, largest = 0;
    for (int64_t d = 0; d < dim; ++d) {
      const double v = array.values[i * dim + d];
      if (std::abs(v) > kLargest)
        throw Error(
            fmt::format("{}: value [{}, {}] is {:.4g}, beyond the range of f32, in which rows are searched; "
                        "scale the rows, or give --normalize",
                        file.string(), i, d, v));
      square += v * v, largest = std::max(largest, std::abs(v));
    }
    if (largest > 0 && largest < kLeast)
      throw Error(
          fmt::format("{}: row {} has no element above {:.4g}, too small for f32, in which rows are searched; "
                      "scale the rows, or give --normalize",
                      file.string(), i, largest));
    least = std::min(least, std::sqrt(square)), most = std::max(most, std::sqrt(square));
  }
  constexpr double kSlack = 1e-2;    // rows of one length, rounded to bf16
  if (most - least > kSlack * most)  // inner products rank by angle only when the rows have one length
    fmt::print(
        stderr,
        "kith: warning: {}: rows have lengths {:.4g} to {:.4g}, so long rows attract; --normalize searches by angle\n",
        file.string(), least, most);
  SearchedRows out;
  out.queries.reserve(array.values.size());
  for (const double v : array.values) out.queries.push_back(static_cast<float>(v));
  return out;
}

// The products of whole rows.
void complete_scores(std::vector<float>& scores, const SearchedRows& rows, const MineArrays& options) {
  const int64_t dim = static_cast<int64_t>(rows.less.size());
  for (size_t at = 0; at < scores.size(); ++at) {
    const int64_t row = static_cast<int64_t>(at) / options.k;
    double product = 0;
    for (int64_t d = 0; d < dim; ++d) product += double{rows.queries[row * dim + d]} * rows.less[d];
    scores[at] = static_cast<float>(scores[at] + product);
    if (!std::isfinite(scores[at]) && !options.scores.empty())
      throw Error(
          fmt::format("{}: an inner product of row {} is beyond the range of f32, in which scores are written; "
                      "scale the rows, or leave --scores out",
                      options.features.string(), row));
  }
}

}  // namespace

void expect_creatable(const path& file) {
  std::error_code ignored;
  if (file.has_parent_path() && !std::filesystem::is_directory(file.parent_path(), ignored))
    throw Error(fmt::format("{}: cannot create: no such folder: {}", file.string(), file.parent_path().string()));
  if (std::filesystem::is_directory(file, ignored))
    throw Error(fmt::format("{}: cannot create: a folder has this name", file.string()));
}

int mine_arrays(Context& ctx, const MineArrays& options) {
  check_outputs(options);
  SearchedRows rows;
  Matrix<const float> queries;
  {
    NpyArray<double> features = read_features(options);
    if (options.normalize) normalize(features, options.features);
    rows = options.normalize ? unit_rows(features) : rows_as_given(features, options.features);
    queries = {rows.queries.data(), features.shape[0], features.shape[1]};
  }
  const Matrix<const float> database{rows.less.empty() ? queries.data : rows.database.data(), queries.rows,
                                     queries.cols};
  NeighbourSearch::Lists found = NeighbourSearch(ctx, database)(queries, options.k, !options.include_self);
  complete_scores(found.score, rows, options);
  data::write_npy<int64_t>(options.out, found.index, {queries.rows, options.k});
  if (!options.scores.empty()) data::write_npy<float>(options.scores, found.score, {queries.rows, options.k});
  fmt::print("{} neighbours of each of {} rows: {}\n", options.k, queries.rows, options.out.string());
  return 0;
}

}  // namespace kith
