// Merge of parts' lists: of each query, all elements sorted. Lists are short beside the search that made them.
#include <algorithm>
#include <vector>

#include "kernels/core/parallel.h"
#include "kernels/topk.h"

namespace kith::kernels::cpu {

void topk_merge(const TopKMerge& a) {
  struct Element {
    double score;
    int64_t index;
    // Order of a list; empty slots, of index -1, stand last.
    bool operator<(const Element& b) const {
      if (index < 0 || b.index < 0) return index >= 0 && b.index < 0;
      return score > b.score || (score == b.score && index < b.index);
    }
  };
  const int64_t queries = a.scores.rows, k = a.scores.cols;
  parallel_for(queries, 256, [&](int64_t begin, int64_t end) {
    std::vector<Element> all;
    for (int64_t q = begin; q < end; ++q) {
      all.clear();
      for (int64_t row = q; row < a.part_scores.rows; row += queries)
        for (int64_t n = 0; n < k; ++n) all.push_back({a.part_scores.row(row)[n], a.part_indices.row(row)[n]});
      std::partial_sort(all.begin(), all.begin() + k, all.end());
      for (int64_t n = 0; n < k; ++n) {
        a.scores.row(q)[n] = static_cast<float>(all[n].score) + 0.f;
        a.indices.row(q)[n] = all[n].index;
        if (a.exact.data != nullptr) a.exact.row(q)[n] = all[n].score;
      }
    }
  });
}

}  // namespace kith::kernels::cpu
