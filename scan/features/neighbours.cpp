#include "scan/features/neighbours.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "data/dataset/digest.h"
#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "scan/features/rows.h"
#include "scan/features/unit_rows.h"
#include "scan/metrics/blocked_search.h"
#include "scan/run/lost_records.h"
#include "scan/run/remedy.h"
#include "scan/run/stage_records.h"
#include "scan/run/timing.h"

namespace kith {
namespace {

using Read = std::function<void(int64_t first, Matrix<float> out)>;

// Rows of unit length, in f64 until they are read.
class UnitRows {
 public:
  explicit UnitRows(const FeatureMatrix& matrix) : matrix_(matrix) {}

  // Less `less` in each row; nothing where that is empty.
  Read reader(std::vector<double> less) const {
    return [this, less = std::move(less)](int64_t first, Matrix<float> out) {
      each(first, out.rows, [&](int64_t i, std::span<const double> row) {
        float* const to = out.row(i - first).data();
        for (size_t d = 0; d < row.size(); ++d) to[d] = static_cast<float>(less.empty() ? row[d] : row[d] - less[d]);
      });
    };
  }

  std::vector<double> mean() const {
    std::vector<double> sum(static_cast<size_t>(matrix_.cols()));
    each(0, matrix_.rows(), [&](int64_t, std::span<const double> row) {
      for (size_t d = 0; d < row.size(); ++d) sum[d] += row[d] / static_cast<double>(matrix_.rows());
    });
    return sum;
  }

 private:
  template <class Use>
  void each(int64_t first, int64_t count, const Use& use) const {
    const int64_t dim = matrix_.cols(), piece = std::clamp<int64_t>((int64_t{1} << 18) / dim, 1, 4096);
    std::vector<double> values(static_cast<size_t>(std::min(piece, count) * dim));
    const auto row = [&](int64_t i) { return std::span(values.data() + i * dim, static_cast<size_t>(dim)); };
    for (int64_t begin = first; begin < first + count; begin += piece) {
      const int64_t n = std::min(piece, first + count - begin);
      matrix_.read(begin, n, values.data());
      parallel_for(n, 64, [&](int64_t from, int64_t to) {
        for (int64_t i = from; i < to; ++i) to_unit_row(row(i));
      });
      for (int64_t i = 0; i < n; ++i) use(begin + i, row(i));
    }
  }

  const FeatureMatrix& matrix_;
};

const char* const kNeighboursName = "neighbours.npy";
std::filesystem::path neighbours_file(const std::filesystem::path& dir) { return dir / kNeighboursName; }

}  // namespace

data::NpyArray<int64_t> nearest_rows(Context& ctx, const FeatureMatrix& matrix, int64_t k, int64_t block_rows) {
  const int64_t n = matrix.rows();
  if (k < 1 || k >= n)
    throw Error(fmt::format("{}: {} neighbours of each of {} rows wanted; expected 1..{} (--set neighbours=...)",
                            matrix.name(), k, n, n - 1));
  const UnitRows unit(matrix);
  std::vector<double> mean = unit.mean();
  const bool narrow = lie_within_a_narrow_cone(mean);
  NeighbourSearch::Lists lists =
      nearest_in_blocks(ctx, {.rows = n,
                              .cols = matrix.cols(),
                              .k = k,
                              .database = unit.reader(narrow ? std::move(mean) : std::vector<double>{}),
                              .queries = narrow ? unit.reader({}) : Read{},
                              .block_rows = block_rows});
  return {.shape = {n, k}, .values = std::move(lists.index)};
}

std::optional<data::NpyArray<int64_t>> kept_neighbours(const std::filesystem::path& dir, int64_t rows, int64_t k) {
  const std::filesystem::path file = neighbours_file(dir);
  if (!std::filesystem::exists(file)) return {};
  data::NpyArray<int64_t> lists =
      or_remedy("remove it, and they are searched for anew", [&] { return data::read_npy<int64_t>(file); });
  const bool inside = std::ranges::all_of(lists.values, [&](int64_t j) { return j >= 0 && j < rows; });
  if (lists.shape != std::vector<int64_t>{rows, k} || !inside)
    throw Error(fmt::format("{}: not this run's {} neighbours of {} rows; delete it", file.string(), k, rows));
  return lists;
}

bool neighbours_were_lost(const std::filesystem::path& dir) {
  const StageRecords records = read_records(dir);
  const auto mined = records.find("mine");
  return mined != records.end() && !mined->second.under_way && !std::filesystem::exists(neighbours_file(dir));
}

std::string doubt_about_neighbours(const std::filesystem::path& dir) {
  const std::filesystem::path file = neighbours_file(dir);
  if (!std::filesystem::exists(file)) return "";
  const StageRecords records = read_records(dir);
  if (!records.contains("mine") && !std::filesystem::exists(dir / "model.safetensors"))
    return no_record_text(dir, {"mine"},
                          fmt::format(", or remove {}, and they are searched for anew", kNeighboursName));
  if (!was_changed(records, "mine", kNeighboursName, data::digest_of_file(file))) return "";
  return changed_text(file.string(), "mine", "once it is removed, they are searched for anew");
}

data::NpyArray<int64_t> neighbours_of(const RowRun& run, int64_t k) {
  const std::filesystem::path file = neighbours_file(run.dir);
  const auto record = [&] {
    write_record(run.dir, "mine",
                 {.origin = {}, .outputs = {{kNeighboursName, data::digest_of_file(file)}}, .version = KITH_VERSION});
  };
  if (std::optional<data::NpyArray<int64_t>> kept = kept_neighbours(run.dir, run.rows(), k)) {
    if (const StageRecords records = read_records(run.dir); records.contains("mine") && records.at("mine").under_way)
      record();  // a kill came between the two
    return std::move(*kept);
  }
  if (neighbours_were_lost(run.dir)) run.report.note(file.string() + ": missing: they are searched for anew");
  const Stopwatch watch;
  data::NpyArray<int64_t> lists = nearest_rows(run.ctx, run.only().matrix(), k);
  write_record(run.dir, "mine", {.origin = {}, .outputs = {}, .version = KITH_VERSION, .under_way = true});
  data::write_npy<int64_t>(file, lists.values, lists.shape);
  record();
  run.report.note(
      fmt::format("{} of each of {} rows in {:.1f} s", data::counted(k, "neighbour"), run.rows(), watch.seconds()));
  return lists;
}

}  // namespace kith
