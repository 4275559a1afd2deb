// Sizes beyond a study's own, for predictions: those of training at batch 512 (1,024 rows of two views), which the runner counts
// within seconds, and of NT-Xent at batch 2,048, whose kernels on compute capability 9.0 are all its own, within a minute.
#include <algorithm>
#include <sstream>

#include "bench/study/simt/predict.h"

namespace kith::study {
namespace {

struct More {
  std::string_view kernel;
  const char* sizes;
};
constexpr More kMore[] = {
    {"ntxent_backward", "rows=1024"},
    {"ntxent_backward", "rows=4096"},
    {"ntxent_forward", "rows=1024"},
    {"ntxent_forward", "rows=4096"},
    {"scan_loss_backward", "heads=1,rows=1024"},
    {"scan_loss_forward", "heads=1,rows=1024"},
    {"selflabel_loss_backward", "rows=1024"},
    {"selflabel_loss_forward", "rows=1024"},
};

}  // namespace

std::vector<Sizes> sizes_of_runs(const Study& s) {
  std::vector<Sizes> all{s.sizes};
  for (const More& more : kMore) {
    if (more.kernel != s.name) continue;
    Sizes sizes = s.sizes;
    std::istringstream in(more.sizes);
    for (std::string text; std::getline(in, text, ',');) set_size(sizes, text);
    all.push_back(sizes);
  }
  return all;
}

}  // namespace kith::study
