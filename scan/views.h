// Views of the images of one split as network input.
#pragma once
#include "data/dataset.h"
#include "nn/array.h"
#include "nn/context.h"
#include "scan/config.h"

namespace kith {

// The split that is scored: test, or train where a data set has no test images (a folder of one's own).
inline const data::Images& scored_split(const data::Dataset& data) {
  return data.test.count > 0 ? data.test : data.train;
}

// Keeps references: the context, data set and images must outlive it.
class Views {
 public:
  // Un-augmented: centre crop and normalisation.
  Views(Context&, const data::Dataset&, const data::Images&);
  Views(Context&, const data::Dataset&, const data::Images&, const AugmentConfig&, uint64_t seed);

  // [index * views, height, width, channels] in the context's precision: row r is view first_view + r % views of image
  // index[r / views]. `index` and `live`, which overrides the epoch where it is given, are in the device's memory.
  Tensor operator()(std::span<const int64_t> index, int64_t epoch, int views = 1, uint32_t first_view = 0,
                    const LiveStep* live = nullptr) const;
  // One view of the images first .. first + rows - 1, in epoch 0.
  Tensor range(int64_t first, int64_t rows, uint32_t view = 0) const;

  const data::Images& images() const { return images_; }
  Context& context() const { return ctx_; }

 private:
  Context& ctx_;
  const data::Images& images_;
  AugmentConfig augment_;
  kernels::Normalisation normalisation_;
  uint64_t seed_ = 0;
  mutable Array<int64_t> all_;  // 0 .. count - 1, made when a range is first asked for
};

}  // namespace kith
