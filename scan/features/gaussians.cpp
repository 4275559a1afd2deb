#include "scan/features/gaussians.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/kmeans.h"
#include "nn/state/state.h"
#include "nn/tensor/array.h"

namespace kith {
namespace {

constexpr const char *kMeans = "gaussians.mean", *kVariance = "gaussians.variance";

// Squared distances become probabilities: relative to the least, so that no quotient of two large numbers is taken.
void to_probabilities(std::span<float> row, double variance) {
  const double least = *std::ranges::min_element(row);
  double sum = 0;
  std::vector<double> p;
  for (const float d : row) {
    const double farther = d - least;
    p.push_back(farther == 0 ? 1 : std::exp(-farther / (2 * variance)));
    sum += p.back();
  }
  for (size_t k = 0; k < p.size(); ++k) row[k] = static_cast<float>(p[k] / sum);
}

}  // namespace

bool RowGaussians::in(const SafeTensors& model) { return model.arrays.contains(kMeans); }

void RowGaussians::put(SafeTensors& model, const Tensor& means, double variance) {
  HostArray of{.dtype = "F64", .shape = {}, .bytes = std::vector<std::byte>(sizeof(double))};
  std::memcpy(of.bytes.data(), &variance, sizeof(double));
  model.arrays[kMeans] = to_array(means);
  model.arrays[kVariance] = std::move(of);
}

RowGaussians::RowGaussians(Context& ctx, const SafeTensors& model) : ctx_(ctx) {
  const auto means = model.arrays.find(kMeans), variance = model.arrays.find(kVariance);
  if (means == model.arrays.end() || means->second.dtype != "F32" || means->second.shape.size() != 2 ||
      variance == model.arrays.end() || variance->second.dtype != "F64" || variance->second.count() != 1)
    throw Error(fmt::format("{}: expected tensors {} of F32 with 2 extents and {} of F64 with 1 number", model.file,
                            kMeans, kVariance));
  means_ = ctx.from(means->second.shape, {means->second.as<float>(), static_cast<size_t>(means->second.count())});
  std::memcpy(&variance_, variance->second.bytes.data(), sizeof(double));
  if (!(variance_ >= 0) || means_.size() == 0)
    throw Error(fmt::format("{}: {} is {}, {} is {}; expected at least 0, and means", model.file, kVariance, variance_,
                            kMeans, to_string(means_.shape())));
}

std::vector<float> RowGaussians::probabilities(const Tensor& rows) const {
  const int64_t n = rows.dim(0), clusters = means_.dim(0);
  std::vector<float> out(static_cast<size_t>(n * clusters));
  const Tensor distance = ctx_.empty({n});
  const Array<int32_t> nearest(ctx_, n);  // of one centroid
  for (int64_t k = 0; k < clusters; ++k) {
    kernels::kmeans_assign({.x = rows.matrix(),
                            .centroids = means_.part(k, 1).matrix(),
                            .labels = nearest.span(),
                            .distance = distance.span()},
                           ctx_.queue());
    const std::vector<float> d = distance.to_host();
    for (int64_t i = 0; i < n; ++i) out[i * clusters + k] = d[i];
  }
  parallel_for(n, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      to_probabilities({out.data() + i * clusters, static_cast<size_t>(clusters)}, variance_);
  });
  return out;
}

}  // namespace kith
