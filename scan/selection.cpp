#include "scan/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "kernels/cpu/parallel.h"
#include "kernels/scan_loss.h"

namespace kith {

Validation validate(Context& ctx, const Tensor& logits, const Matrix<const int64_t>& neighbours) {
  const int64_t heads = logits.dim(0), rows = logits.dim(1), classes = logits.dim(2);
  check(neighbours.rows == rows && neighbours.cols >= 1, "validate: one list of neighbours per row expected");
  const auto size = static_cast<size_t>(heads);
  std::vector<float> loss(size), consistency(size), entropy(size);
  Tensor other = ctx.empty(logits.shape()), pbar = ctx.empty({heads, classes});
  Validation out{.loss = std::vector<double>(size), .consistency = std::vector<double>(size), .entropy = {}};
  // One column of neighbours at a time: memory stays that of the logits, whatever the number of neighbours.
  for (int64_t column = 0; column < neighbours.cols; ++column) {
    kernels::cpu::parallel_for(heads * rows, 1024, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        std::copy_n(logits.data() + (r / rows * rows + neighbours.row(r % rows)[column]) * classes, classes,
                    other.data() + r * classes);
    });
    kernels::scan_loss_forward({.anchors = logits.data(),
                                .neighbours = other.data(),
                                .heads = heads,
                                .rows = rows,
                                .classes = classes,
                                .lambda = 1.f,
                                .loss = loss,
                                .consistency = consistency,
                                .entropy = entropy,
                                .pbar = pbar.matrix()},
                               ctx.queue());
    for (size_t h = 0; h < size; ++h) out.consistency[h] += consistency[h] / static_cast<double>(neighbours.cols);
  }
  out.entropy.assign(entropy.begin(), entropy.end());
  for (size_t h = 0; h < size; ++h) out.loss[h] = out.consistency[h] - out.entropy[h];
  out.best = static_cast<int>(std::min_element(out.loss.begin(), out.loss.end()) - out.loss.begin());
  return out;
}

void Best::save(Checkpoint& c) const {
  if (epoch < 0) return;
  put_section(c.arrays, "best", state);
  c.state["best"] = {{"loss", loss}, {"epoch", epoch}, {"head", head}};
}

void Best::load(const Checkpoint& c) {
  const auto found = c.state.find("best");
  if (found == c.state.end()) return;
  found->at("loss").get_to(loss);
  found->at("epoch").get_to(epoch);
  found->at("head").get_to(head);
  state = take_section(c.arrays, "best");
}

Usage usage_of(std::span<const int32_t> assignments, int classes) {
  std::vector<int64_t> counts(static_cast<size_t>(classes));
  for (const int32_t a : assignments) ++counts.at(static_cast<size_t>(a));
  Usage usage;
  for (const int64_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(assignments.size());
    ++usage.used;
    usage.entropy -= share * std::log(share);
  }
  return usage;
}

void warn_if_collapsed(const Session& s, const std::string& stage, const Usage& usage, int classes) {
  if (usage.used <= 1 || usage.entropy < 0.05 * std::log(classes))
    s.report.warn(
        fmt::format("{}: the clustering has collapsed: nearly all images are in one of {} clusters (entropy {:.2f})",
                    stage, classes, usage.entropy));
  else if (usage.used < classes)
    s.report.warn(fmt::format("{}: {} of {} clusters are empty", stage, classes - usage.used, classes));
}

}  // namespace kith
