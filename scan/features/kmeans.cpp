#include "kernels/kmeans.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "nn/tensor/array.h"
#include "scan/features/gaussians.h"
#include "scan/features/label_totals.h"
#include "scan/features/methods.h"
#include "scan/text/first_few.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

struct Centroids {
  Tensor rows;  // [clusters, dim]
  double inertia = 0;
  int64_t passes = 0;
};

Centroids kmeans_of(const RowRun& run, const Tensor& x) {
  Centroids out{.rows = run.ctx.empty({run.clusters, x.dim(1)})};
  const Array<int32_t> labels(run.ctx, x.dim(0));
  const kernels::KMeansResult result = kernels::kmeans({.x = x.matrix(),
                                                        .max_iterations = run.settings.whole("max_iterations"),
                                                        .restarts = static_cast<int>(run.settings.whole("restarts")),
                                                        .seed = seed_of(run.settings.seed, "kmeans"),
                                                        .centroids = out.rows.matrix(),
                                                        .labels = labels.span()},
                                                       run.ctx.queue());
  out.inertia = result.inertia;
  out.passes = result.iterations;
  return out;
}

// One of Lloyd's passes over rows that are not in memory: the squared shift of the centroids. A cluster without rows stays
// where it is.
double lloyd_pass(const RowRun& run, Centroids& c) {
  const FeatureRows& x = run.only();
  const int64_t dim = x.cols(), clusters = run.clusters;
  const LabelTotals totals(run.ctx, clusters, dim);
  c.inertia = 0;
  x.for_each_piece([&](int64_t, Matrix<const float> piece) {
    if (run.report.stop_requested()) throw Interrupted{};
    const Tensor rows = run.ctx.from({piece.rows, dim}, piece.span()), distance = run.ctx.empty({piece.rows});
    const Array<int32_t> labels(run.ctx, piece.rows);
    kernels::kmeans_assign(
        {.x = rows.matrix(), .centroids = c.rows.matrix(), .labels = labels.span(), .distance = distance.span()},
        run.ctx.queue());
    for (const float d : distance.to_host()) c.inertia += d;
    totals.add(rows, labels);
  });
  const std::vector<double> sums = totals.sums();
  const std::vector<int64_t> counts = totals.counts();
  std::vector<float> now = c.rows.to_host();
  double shift = 0;
  for (int64_t k = 0; k < clusters; ++k)
    for (int64_t d = 0; counts[k] > 0 && d < dim; ++d) {
      const double mean = sums[k * dim + d] / static_cast<double>(counts[k]);
      shift += (mean - now[k * dim + d]) * (mean - now[k * dim + d]);
      now[k * dim + d] = static_cast<float>(mean);
    }
  c.rows.copy_from(now);
  ++c.passes;
  return shift;
}

// Clusters whose centroid lies as near to another's as rounding alone may put it. Of two rows that are equal before they are
// rounded a value x is off by u x in each, u the file's roundoff, and as much again by the length of the row where rows are brought
// to unit length; that, the mean that is taken off and the centroid itself are rounded to f32, 2^-24 each. Centroids of such rows
// lie within twice the sum, in every column.
std::vector<int64_t> clusters_of_rounding(const FeatureRows& x, const Tensor& centroids) {
  const int64_t clusters = centroids.dim(0), dim = centroids.dim(1);
  const RowTransform& t = x.transform();
  const std::vector<float> at = centroids.to_host();
  const double share = 2 * ((t.unit ? 2 : 1) * x.matrix().roundoff() + 3 * 0x1p-24);
  std::vector<bool> found(static_cast<size_t>(clusters));
  for (int64_t k = 0; k < clusters; ++k) {
    double most = 0;
    for (int64_t d = 0; d < dim; ++d) {
      const double m = at[k * dim + d], off = t.mean.empty() ? m : m + double{t.mean[d]} * t.inverse[d];
      most += share * off * share * off;
    }
    for (int64_t l = 0; l < clusters; ++l) {
      double square = 0;
      for (int64_t d = 0; d < dim && square <= most; ++d) {
        const double apart = double{at[k * dim + d]} - at[l * dim + d];
        square += apart * apart;
      }
      if (square > 0 && square <= most) found[k] = true;  // equal ones tell no rows apart: one of them is empty
    }
  }
  std::vector<int64_t> out;
  for (int64_t k = 0; k < clusters; ++k)
    if (found[k]) out.push_back(k);
  return out;
}

RowFit fit_of(const RowRun& run, const Centroids& c, nlohmann::json facts) {
  facts["inertia"] = c.inertia;
  facts["iterations"] = c.passes;
  const std::vector<int64_t> rounded = clusters_of_rounding(run.only(), c.rows);
  if (!rounded.empty()) {
    facts["clusters_of_rounding"] = rounded;
    std::vector<std::string> names;
    for (const int64_t k : rounded) names.push_back(std::to_string(k));
    constexpr size_t kShown = 10;
    run.report.warn(
        fmt::format("kmeans: {} of {} clusters {} from another by no more than rows are rounded ({}): {} "
                    "nothing of the rows; take fewer clusters",
                    rounded.size(), run.clusters, rounded.size() == 1 ? "differs" : "differ", first_few(names, kShown),
                    rounded.size() == 1 ? "it says" : "they say"));
  }
  RowFit out{.arrays = {}, .facts = std::move(facts)};
  RowGaussians::put(out.arrays, c.rows,
                    c.inertia / (static_cast<double>(run.rows()) * static_cast<double>(c.rows.dim(1))));
  return out;
}

}  // namespace

RowFit fit_kmeans(const RowRun& run, int64_t most_resident) {
  const FeatureRows& x = run.only();
  const int64_t n = x.rows(), fits = most_resident / (x.cols() * int64_t{sizeof(float)});
  if (!run.ctx.on_cpu() ? run.ctx.has_room(n * x.cols() * int64_t{sizeof(float)}) : n <= fits) {
    const Centroids c = kmeans_of(run, x.block(0, n));
    return fit_of(run, c, nlohmann::json::object());
  }
  if (fits < run.clusters)
    throw Error(
        fmt::format("{}: {} clusters of rows of {} dimensions: too large", x.matrix().name(), run.clusters, x.cols()));
  std::vector<int64_t> drawn = epoch_order(n, seed_of(run.settings.seed, "kmeans/sample"), 0);
  drawn.resize(static_cast<size_t>(fits));
  std::ranges::sort(drawn);
  Centroids c = kmeans_of(run, x.batch(drawn));
  run.report.note(fmt::format("kmeans: begins from {} of {} rows", fits, n));
  // The kernel's rule: the shift of all centroids against the mean variance of a column, here of the rows about the centroids.
  constexpr double kTolerance = 1e-4;
  c.passes = 0;
  double shift = lloyd_pass(run, c);
  const int64_t most = run.settings.whole("max_iterations");
  while (c.passes < most && shift > kTolerance * c.inertia / (static_cast<double>(n) * static_cast<double>(x.cols()))) {
    run.report.note(fmt::format("kmeans: pass {}, inertia {:.6g}", c.passes, c.inertia));
    shift = lloyd_pass(run, c);
  }
  return fit_of(run, c, {{"begun_from_rows", fits}});
}

}  // namespace kith
