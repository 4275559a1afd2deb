#include "scan/stages/baselines.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <span>
#include <utility>

#include "kernels/kmeans.h"
#include "scan/pretext/task.h"
#include "scan/run/artifacts.h"
#include "scan/run/ranks.h"
#include "scan/stages/shared_kmeans.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

using Values = std::vector<float>;

// Rows `own` of those that rank 0 has in `all`, which sends them by pieces.
Values rows_from_first(Collective& ranks, Values all, int64_t rows, int64_t cols, RowsOfRank own) {
  if (ranks.size() == 1) return all;
  Values out(static_cast<size_t>(own.count * cols));
  const int64_t most = std::max<int64_t>((int64_t{64} << 20) / (cols * static_cast<int64_t>(sizeof(float))), 1);
  Values piece(static_cast<size_t>(std::min(most, rows) * cols));
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t count = std::min(most, rows - first);
    if (ranks.rank() == 0) std::copy_n(all.begin() + first * cols, count * cols, piece.begin());
    const std::span<float> sent(piece.data(), static_cast<size_t>(count * cols));
    ranks.broadcast(std::as_writable_bytes(sent), 0, Queue{});
    const int64_t begin = std::max(first, own.first), end = std::min(first + count, own.first + own.count);
    if (begin < end)
      std::copy_n(piece.begin() + (begin - first) * cols, (end - begin) * cols,
                  out.begin() + (begin - own.first) * cols);
  }
  return out;
}

Values pixels(const data::Images& images, RowsOfRank rows) {
  const auto bytes = std::span(images.pixels)
                         .subspan(static_cast<size_t>(rows.first * images.image_bytes()),
                                  static_cast<size_t>(rows.count * images.image_bytes()));
  Values values(bytes.size());
  std::ranges::transform(bytes, values.begin(), [](uint8_t p) { return static_cast<float>(p) / 255.f; });
  return values;
}

class Baselines {
 public:
  Baselines(Session& s, int clusters)
      : s_(s), ranks_(s.ctx.collective()), train_(s.data.train()), scored_(s.data.scored()), clusters_(clusters) {}

  std::vector<Baseline> run() {
    if (!scored_.labelled()) return {};
    if (train_.count < clusters_) {
      s_.report.note(fmt::format("evaluate: no k-means, on pixels or features: {} train images make no {} clusters",
                                 train_.count, clusters_));
      return {};
    }
    const int64_t columns = pretext_task(s_.config.pretext.task).columns_of(s_.config);
    if (has_room("pixels", train_.image_bytes())) on_pixels();
    if (has_room("pretext features", columns)) on_features();
    return std::move(out_);
  }

 private:
  // True if the device of rank 0 has room for so many values of each image; a note if it has not.
  bool has_room(const char* what, int64_t columns) const {
    return answer_of_first(ranks_, [&] {
      const auto bytes = static_cast<int64_t>(sizeof(float)) * (train_.count + scored_.count) * columns;
      if (s_.ctx.has_room(bytes)) return true;
      s_.report.note(fmt::format("evaluate: no k-means on {}, which would take {:.1f} GiB of the device's memory", what,
                                 static_cast<double>(bytes) / (1 << 30)));
      return false;
    });
  }

  void on_pixels() {
    const int64_t columns = train_.image_bytes();
    add("kmeans_pixels", "k-means on pixels", columns,
        pixels(train_, kmeans_rows(s_.ctx, train_.count, columns, clusters_)),
        [&] { return pixels(scored_, {.first = 0, .count = scored_.count}); });
  }

  // Rank 0 alone has the run directory.
  void on_features() {
    data::NpyArray<float> train;
    const int64_t columns = std::stoll(text_of_first(ranks_, [&] {
      train = read_features(s_, "train", train_.count);
      return std::to_string(train.shape.at(1));
    }));
    add("kmeans_features", "k-means on pretext features", columns,
        rows_from_first(ranks_, std::move(train.values), train_.count, columns,
                        kmeans_rows(s_.ctx, train_.count, columns, clusters_)),
        [&] { return read_features(s_, "test", scored_.count).values; });
  }

  // `own`: train rows of this rank; scored(): all scored rows, on rank 0.
  void add(const char* key, const char* name, int64_t columns, Values own, const std::function<Values()>& scored) {
    const Tensor fit = s_.ctx.from({static_cast<int64_t>(own.size()) / columns, columns}, own),
                 centroids = s_.ctx.empty({clusters_, columns});
    own = {};  // the tensor has a copy
    shared_kmeans(s_.ctx, {.own = fit.matrix(),
                           .rows = train_.count,
                           .restarts = s_.config.evaluate.kmeans_restarts,
                           .seed = seed_of(s_.config.seed, "evaluate/kmeans"),
                           .centroids = centroids.matrix(),
                           .between = [this] { stop_if_asked(); }});
    Baseline found{.key = key, .name = name, .assigned = {}};
    alone(ranks_, [&] {
      stop_if_asked();
      const Tensor rows = s_.ctx.from({scored_.count, columns}, scored());
      const Array<int32_t> assigned(s_.ctx, scored_.count);
      const OpScope op(
          s_.ctx, "kmeans_assign",
          kernels::kmeans_assign_cost(static_cast<double>(scored_.count), clusters_, static_cast<double>(columns)));
      kernels::kmeans_assign(
          {.x = rows.matrix(), .centroids = centroids.matrix(), .labels = assigned.span(), .distance = {}},
          s_.ctx.queue());
      found.assigned = assigned.to_host();
    });
    out_.push_back(std::move(found));
  }

  // Nothing is saved: the evaluation is made anew, and k-means comes to the same.
  void stop_if_asked() const {
    if (s_.report.stop_requested()) throw Interrupted{};
  }

  Session& s_;
  Collective& ranks_;
  const data::Images &train_, &scored_;
  int clusters_;
  std::vector<Baseline> out_;
};

}  // namespace

std::vector<Baseline> kmeans_baselines(Session& s, int clusters) { return Baselines(s, clusters).run(); }

}  // namespace kith
