// Reliable pseudo-labels: those that a sample's neighbours share. Niu et al. 2022 (SPICE, arXiv:2103.09382), section 3.3.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/core/types.h"

namespace kith {

struct ReliableRule {
  float agreement = 0.9f;    // share of the neighbours with the sample's own label, at least
  float confidence = 0.99f;  // probability of the label, above
  int64_t least = 10;        // samples of each cluster
};

struct ReliableSet {
  std::vector<int32_t> labels = {};       // [samples]: cluster, -1 where not reliable
  std::vector<int64_t> per_cluster = {};  // how many of each
  std::vector<int64_t> filled = {};       // of those: below the rule, taken because the cluster had too few
  double mean_agreement = 0;              // of all samples, as a share
};

// assignments [samples] and their probabilities; agree [samples]: with how many of `neighbours` (kernels/agreement.h). A sample
// is reliable whose label has enough of both. Where a cluster has fewer than `least`
// such members it gets its best by agreement times confidence (the lower index on a tie), as far as it has members: a
// cluster is never left out unseen, and no cluster is cut to the size of the smallest.
// Error on sizes that disagree, an assignment outside 0 .. clusters - 1, least < 1.
ReliableSet reliable_set(std::span<const int32_t> assignments, std::span<const float> confidence, int clusters,
                         std::span<const int32_t> agree, int64_t neighbours, const ReliableRule&);

}  // namespace kith
