// What the results of a run are compared with: k-means on pixels and on pretext features, by all ranks (shared_kmeans.h).
#pragma once
#include <string>
#include <vector>

#include "scan/run/session.h"

namespace kith {

struct Baseline {
  std::string key, name;
  std::vector<int32_t> assigned;  // clusters of the scored images, on rank 0
};
// Fitted on the train split, as everything else; the scored split is only assigned. None where the scored images have no labels,
// and, with a note, where there are fewer images than clusters or no room on a device.
std::vector<Baseline> kmeans_baselines(Session&, int clusters);

}  // namespace kith
