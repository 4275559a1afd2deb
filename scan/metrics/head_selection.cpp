#include "scan/metrics/head_selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "kernels/scan_loss.h"
#include "nn/ops/ops.h"

namespace kith {

Validation validate(Context& ctx, const Tensor& logits, const Matrix<const int64_t>& neighbours) {
  const int64_t heads = logits.dim(0), rows = logits.dim(1), classes = logits.dim(2);
  check(neighbours.rows == rows && neighbours.cols >= 1, "validate: one list of neighbours per row expected");
  const auto size = static_cast<size_t>(heads);
  const Tensor loss = ctx.empty({heads}), consistency = ctx.empty({heads}), entropy = ctx.empty({heads});
  const Tensor pbar = ctx.empty({heads, classes}), all = logits.reshape({heads * rows, classes});
  Validation out{.loss = std::vector<double>(size), .consistency = std::vector<double>(size), .entropy = {}};
  // One column of neighbours at a time: memory stays that of the logits, whatever the number of neighbours.
  std::vector<int64_t> index(static_cast<size_t>(heads * rows));
  for (int64_t column = 0; column < neighbours.cols; ++column) {
    for (int64_t r = 0; r < heads * rows; ++r) index[r] = r / rows * rows + neighbours.row(r % rows)[column];
    const Tensor other = gather_rows(ctx, all, Array<int64_t>(ctx, index).span());
    const OpScope op(ctx, "scan_loss",
                     kernels::scan_loss_forward_cost(static_cast<double>(heads), static_cast<double>(rows),
                                                     static_cast<double>(classes)));
    kernels::scan_loss_forward({.anchors = logits.data(),
                                .neighbours = other.data(),
                                .heads = heads,
                                .rows = rows,
                                .classes = classes,
                                .lambda = 1.f,
                                .loss = loss.span(),
                                .consistency = consistency.span(),
                                .entropy = entropy.span(),
                                .pbar = pbar.matrix()},
                               ctx.queue());
    const std::vector<float> of_column = consistency.to_host();
    for (size_t h = 0; h < size; ++h) out.consistency[h] += of_column[h] / static_cast<double>(neighbours.cols);
  }
  const std::vector<float> last = entropy.to_host();
  out.entropy.assign(last.begin(), last.end());
  for (size_t h = 0; h < size; ++h) out.loss[h] = out.consistency[h] - out.entropy[h];
  out.best = static_cast<int>(std::min_element(out.loss.begin(), out.loss.end()) - out.loss.begin());
  return out;
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

std::string collapse_warning(const std::string& stage, const Usage& usage, int classes, const std::string& unit) {
  if (usage.used <= 1 || usage.entropy < 0.05 * std::log(classes))
    return fmt::format("{}: the clustering has collapsed: nearly all {} are in one of {} clusters (entropy {:.2f})",
                       stage, unit, classes, usage.entropy);
  const int empty = classes - usage.used;
  return empty > 0 ? fmt::format("{}: {} of {} clusters {} empty", stage, empty, classes, data::is_or_are(empty)) : "";
}

}  // namespace kith
