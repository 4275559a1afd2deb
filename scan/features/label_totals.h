// How many rows each label has, and their sums (kernels/index/label_sums.h): of pieces that follow one another, where they are.
#pragma once
#include <vector>

#include "kernels/index/label_sums.h"
#include "nn/tensor/array.h"
#include "nn/tensor/profile.h"
#include "nn/tensor/tensor.h"

namespace kith {

class LabelTotals {
 public:
  LabelTotals(Context& ctx, int64_t labels, int64_t dim)
      : ctx_(ctx), dim_(dim), sums_(ctx, labels * dim), counts_(ctx, labels) {
    sums_.zero();
    counts_.zero();
  }

  void add(const Tensor& rows, const Array<int32_t>& labels) const {
    const auto groups = static_cast<int64_t>(counts_.span().size());
    const OpScope op(ctx_, "label_sums",
                     kernels::label_sums_cost(static_cast<double>(rows.dim(0)), static_cast<double>(dim_),
                                              static_cast<double>(groups)));
    kernels::add_label_sums(
        {.x = rows.matrix(), .labels = labels.span(), .sums = {sums_.data(), groups, dim_}, .counts = counts_.span()},
        ctx_.queue());
  }

  std::vector<double> sums() const { return sums_.to_host(); }  // [labels, dim]; waits
  std::vector<int64_t> counts() const { return counts_.to_host(); }

 private:
  Context& ctx_;
  int64_t dim_;
  Array<double> sums_;
  Array<int64_t> counts_;
};

}  // namespace kith
