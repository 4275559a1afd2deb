// Views of the images of one split as network input.
#pragma once
#include "scan/config/config.h"
#include "scan/input/image_source.h"

namespace kith {

// Samples in the memory of the context's device.
struct Samples {
  std::span<const int64_t> index;
  const uint8_t* images = nullptr;  // those of `index` in its order, where the source is streamed (kernels/augment.h)
};

// Which augmented views of each sample: first .. first + count - 1.
struct ViewRange {
  int count = 1;
  uint32_t first = 0;
};

// Keeps references: the source must outlive it.
class Views {
 public:
  // Un-augmented: centre crop and normalisation.
  Views(const ImageSource&, const data::Dataset& normalised_as);
  Views(const ImageSource&, const data::Dataset& normalised_as, const AugmentConfig&, uint64_t seed);

  // [index * count, side, side, channels] in the context's precision, the sides of AugmentConfig::size: row r is view first +
  // r % count of image index[r / count], in the epoch of `live` (in the device's memory; null: epoch 0).
  Tensor operator()(const Samples&, const LiveStep* live, ViewRange = {}) const;

  const ImageSource& source() const { return source_; }
  Context& context() const { return source_.context(); }

 private:
  const ImageSource& source_;
  AugmentConfig augment_;
  kernels::Normalisation normalisation_;
  uint64_t seed_ = 0;
};

}  // namespace kith
