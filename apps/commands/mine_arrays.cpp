// kith mine --features: neighbours among the rows of anyone's array.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/commands/arrays.h"
#include "apps/output_file.h"
#include "apps/output_kinds.h"
#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "nn/device/ranks/collective.h"
#include "scan/features/lost_in_f32.h"
#include "scan/features/matrix.h"
#include "scan/features/unit_rows.h"
#include "scan/metrics/blocked_search.h"
#include "scan/run/alike.h"
#include "scan/run/ranks.h"

namespace kith {
namespace {

using std::filesystem::path;

constexpr double kLargest = std::numeric_limits<float>::max(), kLeast = std::numeric_limits<float>::min();

// Before the search, which may be long.
void check_output(const path& file, const char* option, const path& features, const OutputKind& kind) {
  expect_ending(file, option, ".npy");
  expect_creatable(file);
  if (data::would_touch(file, features))
    throw Error(fmt::format("{}: writing it would replace the features {}; give the output another name", file.string(),
                            features.string()));
  expect_replaceable(file, option, kind);
}

void check_outputs(const MineArrays& o) {
  check_output(o.out, "--out", o.features, array_kind("array of neighbours (int64)", 'i', 8, 2));
  if (o.scores.empty()) return;
  check_output(o.scores, "--scores", o.features, array_kind("array of scores (f32)", 'f', 4, 2));
  if (data::would_touch(o.out, o.scores) || data::would_touch(o.scores, o.out))
    throw Error(fmt::format("{}: --out and --scores are one file; give them different names", o.out.string()));
}

FeatureMatrix open_rows(const MineArrays& options) {
  const std::string name = options.features.string();
  const data::NpyLayout layout = data::npy_layout(options.features);
  if (layout.shape.size() != 2)
    throw Error(fmt::format("{}: shape [{}]; expected [rows, dimensions]", name, fmt::join(layout.shape, ", ")));
  const int64_t rows = layout.shape[0];
  if (layout.shape[1] < 1) throw Error(fmt::format("{}: rows of 0 dimensions; expected at least 1", name));
  if (rows < 2) throw Error(fmt::format("{}: {}; expected at least 2", name, data::counted(rows, "row")));
  constexpr int64_t kMost = 4096;  // of kernels::topk
  const int64_t most = std::min(kMost, rows - (options.include_self ? 0 : 1));
  if (options.k < 1 || options.k > most)
    throw Error(fmt::format("{}: k is {}; expected 1..{} for {} rows", name, options.k, most, rows));
  return FeatureMatrix::open(name);
}

// Rows of the file in f64, a piece at a time: of unit length, or as they are.
class Rows {
 public:
  Rows(const FeatureMatrix& file, bool normalize) : file_(file), normalize_(normalize) {}

  // use(row of the file, its numbers), in the order of the rows.
  template <class Use>
  void each(int64_t first, int64_t count, const Use& use) const {
    pass(
        first, count, [](int64_t, std::span<const double>) {}, use);
  }
  template <class Use>
  void each(const Use& use) const {
    each(0, file_.rows(), use);
  }
  // Before, of some rows at a time, look(row of the file, its numbers there).
  template <class Look, class Use>
  void each(const Look& look, const Use& use) const {
    pass(0, file_.rows(), look, use);
  }

 private:
  template <class Look, class Use>
  void pass(int64_t first, int64_t count, const Look& look, const Use& use) const {
    const int64_t dim = file_.cols(), piece = std::clamp<int64_t>((int64_t{1} << 18) / dim, 1, 4096);
    std::vector<double> values(static_cast<size_t>(std::min(piece, count) * dim));
    for (int64_t begin = first; begin < first + count; begin += piece) {
      const int64_t n = std::min(piece, first + count - begin);
      const auto row = [&](int64_t i) {
        return std::span<const double>(values.data() + i * dim, static_cast<size_t>(dim));
      };
      file_.read(begin, n, values.data());
      for (int64_t i = 0; i < n; ++i) look(begin + i, row(i));
      parallel_for(normalize_ ? n : 0, 64, [&](int64_t from, int64_t to) {
        for (int64_t i = from; i < to; ++i) to_unit_row({values.data() + i * dim, static_cast<size_t>(dim)});
      });
      for (int64_t i = 0; i < n; ++i) use(begin + i, row(i));
    }
  }

  const FeatureMatrix& file_;
  bool normalize_;
};

struct ExpectFinite {
  const FeatureMatrix& file;
  void operator()(int64_t i, std::span<const double> row) const {
    const auto bad = std::ranges::find_if_not(row, [](double v) { return std::isfinite(v); });
    if (bad != row.end())
      throw Error(
          fmt::format("{}: value [{}, {}] is {}; expected finite features", file.name(), i, bad - row.begin(), *bad));
  }
};

// Looks at the rows in their order.
struct AllEqual {
  void add(std::span<const double> row) {
    if (first.empty()) first.assign(row.begin(), row.end());
    equal = equal && std::ranges::equal(row, first);
  }
  std::string warning(const FeatureMatrix& file) const {
    return equal ? file.name() + ": all rows are equal: their neighbours are the rows in order of index" : "";
  }
  std::vector<double> first = {};
  bool equal = true;
};

// What the search is made of: `warning` is what is doubtful about the rows, `less` is subtracted from the rows of the
// database, or empty, `shortest` is the length of a row as it is given that is not zero.
struct Searched {
  std::string warning;
  std::vector<double> less;
  double shortest = 1;
};

Searched look_at_unit_rows(const FeatureMatrix& file) {
  int64_t zeros = 0, first_zero = 0;
  std::vector<double> mean(static_cast<size_t>(file.cols()));
  AllEqual equal;
  Rows(file, true).each(ExpectFinite{file}, [&](int64_t i, std::span<const double> row) {
    equal.add(row);
    for (size_t d = 0; d < row.size(); ++d) mean[d] += row[d] / static_cast<double>(file.rows());
    if (std::ranges::all_of(row, [](double v) { return v == 0; }) && zeros++ == 0) first_zero = i;
  });
  Searched out{.warning = equal.warning(file), .less = {}};
  if (zeros != 0)
    out.warning =
        fmt::format("{}: row {} is zero{}: without a direction, its neighbours are the rows in order of index",
                    file.name(), first_zero, zeros == 1 ? "" : fmt::format(", and {} more", zeros - 1));
  if (lie_within_a_narrow_cone(mean)) out.less = std::move(mean);
  return out;
}

// Rows as they are, in f32. Elements may vanish, rows not.
Searched look_at_rows_as_given(const FeatureMatrix& file) {
  double least = std::numeric_limits<double>::infinity(), most = 0;
  Searched out;
  AllEqual equal;
  Rows(file, false).each(ExpectFinite{file}, [&](int64_t i, std::span<const double> row) {
    equal.add(row);
    double square = 0, largest = 0;
    for (size_t d = 0; d < row.size(); ++d) {
      const double v = row[d];
      if (std::abs(v) > kLargest)
        throw Error(
            fmt::format("{}: value [{}, {}] is {:.4g}, beyond the range of f32, in which rows are searched; "
                        "scale the rows, or give --normalize",
                        file.name(), i, d, v));
      square += v * v, largest = std::max(largest, std::abs(v));
    }
    if (largest > 0 && largest < kLeast)
      throw Error(
          fmt::format("{}: row {} has no element above {:.4g}, too small for f32, in which rows are searched; "
                      "scale the rows, or give --normalize",
                      file.name(), i, largest));
    const double length = std::sqrt(square);
    least = std::min(least, length), most = std::max(most, length);
    if (length > 0) out.shortest = std::min(out.shortest, length);
  });
  constexpr double kSlack = 1e-2;  // rows of one length, rounded to bf16
  out.warning = equal.warning(file);
  if (most - least > kSlack * most)  // inner products rank by angle only when the rows have one length
    out.warning =
        fmt::format("{}: rows have lengths {:.4g} to {:.4g}, so long rows attract; --normalize searches by angle",
                    file.name(), least, most);
  return out;
}

// Below the least normal number f32 is spaced by 2^-149: of two rows whose lengths have a product of at least 2^-126 a score is off
// by 2^-150 at most, as far as rounding goes elsewhere, 2^-24 of that product. Of shorter ones it has fewer digits, or none.
void expect_scores_in_f32(const NeighbourSearch::Lists& found, const Rows& rows, const Searched& searched,
                          const MineArrays& options) {
  if (searched.shortest * searched.shortest >= kLeast) return;
  std::vector<double> length;
  rows.each([&](int64_t, std::span<const double> row) {
    double square = 0;
    for (const double v : row) square += v * v;
    length.push_back(std::sqrt(square));
  });
  for (size_t at = 0; at < found.index.size(); ++at) {
    const auto i = at / static_cast<size_t>(options.k), j = static_cast<size_t>(found.index[at]);
    if (const double most = length[i] * length[j]; most > 0 && most < kLeast)
      throw Error(
          fmt::format("{}: the inner product of rows {} and {} is too small for f32, in which scores are written; "
                      "scale the rows, or leave --scores out",
                      options.features.string(), i, j));
  }
}

// The products of whole rows.
void complete_scores(std::vector<float>& scores, const Rows& rows, const Searched& searched,
                     const MineArrays& options) {
  const auto add = [&](int64_t i, double product) {
    for (float& score : std::span(scores).subspan(static_cast<size_t>(i * options.k), static_cast<size_t>(options.k))) {
      score = static_cast<float>(score + product);
      if (!std::isfinite(score))
        throw Error(
            fmt::format("{}: an inner product of row {} is beyond the range of f32, in which scores are written; "
                        "scale the rows, or leave --scores out",
                        options.features.string(), i));
    }
  };
  const auto count = static_cast<int64_t>(scores.size()) / options.k;
  if (searched.less.empty())
    for (int64_t i = 0; i < count; ++i) add(i, 0);
  else
    rows.each([&](int64_t i, std::span<const double> row) {
      double product = 0;
      for (size_t d = 0; d < row.size(); ++d) product += double{static_cast<float>(row[d])} * searched.less[d];
      add(i, product);
    });
}

NeighbourSearch::Lists search(Context& ctx, const FeatureMatrix& file, const Rows& rows, const Searched& searched,
                              const MineArrays& options) {
  const auto reader = [&rows](const std::vector<double>& of) {
    return [&rows, &less = of](int64_t first, Matrix<float> out) {
      rows.each(first, out.rows, [&](int64_t i, std::span<const double> row) {
        float* const to = out.row(i - first).data();
        for (size_t d = 0; d < row.size(); ++d) to[d] = static_cast<float>(less.empty() ? row[d] : row[d] - less[d]);
      });
    };
  };
  const std::vector<double> nothing;
  return nearest_in_blocks(ctx, {.rows = file.rows(),
                                 .cols = file.cols(),
                                 .k = options.k,
                                 .exclude_self = !options.include_self,
                                 .database = reader(searched.less),
                                 .queries = searched.less.empty() ? BlockedSearch::Read() : reader(nothing),
                                 .scores = !options.scores.empty(),
                                 .block_rows = options.block_rows});
}

}  // namespace

int mine_arrays(Context& ctx, const MineArrays& options) {
  Collective& ranks = ctx.collective();
  const bool first = ranks.rank() == 0;
  together(ranks, [&] {
    if (first) check_outputs(options);
  });
  std::optional<FeatureMatrix> file;
  Searched searched;
  together(ranks, [&] {
    file = open_rows(options);
    searched = options.normalize ? look_at_unit_rows(*file) : look_at_rows_as_given(*file);
  });
  if (ranks.size() > 1)
    expect_alike(ranks, file->digest(), [&](const std::string& of_first) {
      return fmt::format("{}: holds {}, rank 0's {}; expected the same file on every machine", file->name(),
                         file->digest(), of_first);
    });
  if (first && options.accepted) options.accepted();
  if (first)
    for (const std::string& text : {searched.warning, options.normalize ? "" : lost_in_f32(*file)})
      if (!text.empty()) fmt::print(stderr, "kith: warning: {}\n", text);
  const Rows rows(*file, options.normalize);
  NeighbourSearch::Lists found = search(ctx, *file, rows, searched, options);
  alone(ranks, [&] {
    if (!options.scores.empty()) {
      expect_scores_in_f32(found, rows, searched, options);
      complete_scores(found.score, rows, searched, options);
    }
    data::write_npy<int64_t>(options.out, found.index, {file->rows(), options.k});
    if (!options.scores.empty()) data::write_npy<float>(options.scores, found.score, {file->rows(), options.k});
    fmt::print("{} of each of {} rows: {}\n", data::counted(options.k, "neighbour"), file->rows(),
               options.out.string());
  });
  return 0;
}

}  // namespace kith
