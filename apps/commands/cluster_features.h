// kith cluster --features: clusters of anyone's rows (scan/features/cluster_features.h).
#pragma once
#include <string>
#include <vector>

#include "scan/features/settings.h"

namespace kith {

struct ClusterFeatures {
  std::vector<std::string> features;
  RowRequest request{.method = "scan", .clusters = {}, .unit = {}, .standardised = {}, .overrides = {}};
  std::string normalize, standardize;  // yes, no; empty: the method's default
  std::string labels, out, device = "auto";
  int threads = 0;
  bool quiet = false, json = false, dry_run = false;
};
// What is wrong with the features is refused before anything is written. The summary on standard output; for a dry run what would
// be done, and nothing is written.
void cluster_rows(const ClusterFeatures&);

}  // namespace kith
