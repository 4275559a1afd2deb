// Views of the images of one split as network input.
#pragma once
#include "data/dataset/dataset.h"
#include "nn/tensor/context.h"
#include "scan/config/config.h"
#include "scan/train/image_stream.h"

namespace kith {

// Samples in the memory of the context's device.
struct Samples {
  std::span<const int64_t> index;
  const uint8_t* images = nullptr;  // those of `index` in its order, where the data set is streamed (kernels/augment.h)
};

// Keeps references: the context, data set and images must outlive it.
class Views {
 public:
  // Un-augmented: centre crop and normalisation.
  Views(Context&, const data::Dataset&, const data::Images&);
  Views(Context&, const data::Dataset&, const data::Images&, const AugmentConfig&, uint64_t seed);

  // [index * views, height, width, channels] in the context's precision: row r is view first_view + r % views of image
  // index[r / views]. `live`, which overrides the epoch where it is given, is in the device's memory.
  Tensor operator()(const Samples&, int64_t epoch, int views = 1, uint32_t first_view = 0,
                    const LiveStep* live = nullptr) const;

  const data::Images& images() const { return images_; }
  Context& context() const { return ctx_; }

 private:
  Context& ctx_;
  const data::Images& images_;
  AugmentConfig augment_;
  kernels::Normalisation normalisation_;
  uint64_t seed_ = 0;
};

}  // namespace kith
