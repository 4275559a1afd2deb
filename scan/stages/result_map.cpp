#include "scan/stages/result_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/formats/text.h"
#include "scan/metrics/layout.h"
#include "scan/report/image_name.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

constexpr int64_t kFewest = 4, kMapNeighbours = 15;

}  // namespace

std::vector<MapPoint> result_map(const Session& s, const Matrix<const float>& features,
                                 std::span<const int32_t> assignments, std::span<const float> confidence) {
  const data::Images& images = s.data.scored();
  if (images.count < kFewest) return {};
  const int64_t count = std::min(images.count, most_map_points(images));
  std::vector<MapPoint> points(static_cast<size_t>(count));
  std::vector<float> rows;
  for (int64_t p = 0; p < count; ++p) {
    const int64_t image = p * images.count / count;
    points[p].image = image;
    points[p].cluster = assignments[image];
    points[p].about = fmt::format("{}, confidence {:.3f}", image_name(images, image), confidence[image]);
    if (images.labelled())
      points[p].about += ", label " + data::printable(s.data.class_names.at(static_cast<size_t>(images.labels[image])));
    rows.insert(rows.end(), features.row(image).begin(), features.row(image).end());
  }
  const Matrix<const float> sample{rows.data(), count, features.cols};
  const std::vector<float> at =
      neighbour_layout(sample, nearest(s.ctx, sample, kMapNeighbours, false), seed_of(s.config.seed, "evaluate/map"));
  for (int64_t p = 0; p < count; ++p) points[p].x = at[2 * p], points[p].y = at[2 * p + 1];
  return points;
}

}  // namespace kith
