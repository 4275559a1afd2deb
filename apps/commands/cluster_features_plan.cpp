#include "apps/commands/cluster_features_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/formats/counted.h"
#include "scan/features/cluster_count.h"
#include "scan/features/neighbours.h"
#include "scan/text/json_text.h"

namespace kith {
namespace {

int64_t bytes_of(const RowClustering& c) {
  const int64_t rows = c.spaces[0].rows(), spaces = std::ssize(c.spaces);
  int64_t bytes = rows * int64_t{sizeof(int32_t) + sizeof(float)};  // clusters and distances
  for (const FeatureMatrix& m : c.spaces)
    bytes += std::min(rows * m.cols() * int64_t{sizeof(float)}, FeatureRows::kResidentBytes / spaces);
  if (c.settings.values.contains("neighbours"))
    bytes += rows * c.settings.whole("neighbours") * int64_t{sizeof(int64_t)};
  return bytes;
}

// Of the methods that go over the rows in epochs.
int64_t steps_of(const RowClustering& c) {
  const RowSettings& s = c.settings;
  if (!s.values.contains("epochs")) return s.values.contains("steps") ? s.whole("steps") : 0;
  const int64_t rows = c.spaces[0].rows();
  return s.whole("epochs") * (rows / std::min(s.whole("batch"), rows));
}

}  // namespace

void print_rows_plan(const RowClustering& c, RowProgress progress, const std::string& device, bool as_json) {
  const RowSettings& s = c.settings;
  if (as_json) {
    nlohmann::json features = nlohmann::json::array();
    for (const FeatureMatrix& m : c.spaces)
      features.push_back({{"file", m.name()}, {"rows", m.rows()}, {"columns", m.cols()}});
    return fmt::print("{}\n", json_text({{"plan",
                                          {{"settings", to_json(s)},
                                           {"features", std::move(features)},
                                           {"device", device},
                                           {"done", progress == RowProgress::trained},
                                           {"begun", progress == RowProgress::begun},
                                           {"neighbours_lost", neighbours_were_lost(c.dir)},
                                           {"count_lost", !lost_cluster_count(c.dir, s.clusters).empty()},
                                           {"steps", steps_of(c)},
                                           {"bytes", bytes_of(c)}}}}));
  }
  fmt::print("method = \"{}\"\nclusters = [{}]\nseed = {}\nnormalize = {}\nstandardize = {}\n", name_of(s.method),
             fmt::join(s.clusters, ", "), s.seed, s.unit, s.standardised);
  for (const auto& [name, value] : s.values) fmt::print("{} = {}\n", name, value);
  fmt::print("\n# {}\n", device);
  for (const FeatureMatrix& m : c.spaces)
    fmt::print("# {}: {} rows of {}\n", m.name(), m.rows(), data::counted(m.cols(), "dimension"));
  if (progress == RowProgress::trained)
    fmt::print("# done earlier: the model stands, and is judged again\n");
  else if (const int64_t steps = steps_of(c); steps > 0)
    fmt::print("# {}{}\n", data::counted(steps, "step"),
               progress == RowProgress::begun ? ", of which the run goes on from its checkpoint" : "");
  if (const std::string lost = lost_cluster_count(c.dir, s.clusters); !lost.empty()) fmt::print("# {}\n", lost);
  if (neighbours_were_lost(c.dir)) fmt::print("# neighbours.npy is missing: they are searched for anew\n");
  fmt::print("# about {:.1f} MiB of memory beside the files' own, and what the method trains\n",
             static_cast<double>(bytes_of(c)) / (1 << 20));
}

}  // namespace kith
