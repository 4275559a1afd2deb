// Information-theoretic and pair-counting agreement of a clustering with labels. Oracle: scikit-learn. Degenerate tables (one
// cluster, empty clusters, one sample) are accepted.
#pragma once
#include "scan/metrics/contingency.h"

namespace kith {

double normalized_mutual_information(const Contingency&);  // arithmetic mean
double adjusted_mutual_information(const Contingency&);    // arithmetic mean
double adjusted_rand_index(const Contingency&);

}  // namespace kith
