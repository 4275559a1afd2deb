#include "scan/stages/result_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/formats/text.h"
#include "scan/metrics/layout.h"
#include "scan/report/image_name.h"
#include "scan/train/sampler.h"

namespace kith {

std::vector<MapPoint> result_map(const Session& s, const Matrix<const float>& features,
                                 std::span<const int32_t> assignments, std::span<const float> confidence) {
  const data::Images& images = s.data.scored();
  if (images.count < kFewestOnMap) return {};
  std::vector<MapPoint> points;
  std::vector<float> rows;
  for (const int64_t image : evenly_spaced(images.count, std::min(images.count, most_map_points(images)))) {
    MapPoint& point = points.emplace_back();
    point.image = image;
    point.cluster = assignments[image];
    point.about = fmt::format("{}, confidence {:.3f}", image_name(images, image), confidence[image]);
    if (images.labelled())
      point.about += ", label " + data::printable(s.data.class_names.at(static_cast<size_t>(images.labels[image])));
    rows.insert(rows.end(), features.row(image).begin(), features.row(image).end());
  }
  const Matrix<const float> sample{rows.data(), std::ssize(points), features.cols};
  const std::vector<float> at = neighbour_layout(s.ctx, sample, seed_of(s.config.seed, "evaluate/map"));
  for (size_t p = 0; p < points.size(); ++p) points[p].x = at[2 * p], points[p].y = at[2 * p + 1];
  return points;
}

}  // namespace kith
