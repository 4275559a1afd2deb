// ImageSource: the images of a split as the steps of one device get them: all of them in its memory (resident), or from the
// host batch by batch (streamed, scan/input/image_stream.h). Decided when it is made; on the CPU images are where they are.
#pragma once
#include <memory>
#include <vector>

#include "data/dataset/dataset.h"
#include "nn/tensor/array.h"

namespace kith {

enum class Residency : uint8_t {
  automatic,  // streamed where the images would take more than half of the memory that is free on the device
  device,     // resident whatever they take
  host,       // streamed
};

class ImageSource {
 public:
  // Keeps a reference to the context, and the memory of the pixels alive. Error: the copy does not fit; says what to change.
  ImageSource(Context&, const data::Images&, Residency);

  const data::Images& images() const { return images_; }
  Context& context() const { return ctx_; }
  bool streamed() const { return streamed_; }
  // [count, height, width, channels] in the memory of the device; null where they are streamed.
  const uint8_t* resident() const { return ctx_.on_cpu() ? images_.pixels.data() : copy_.data(); }

 private:
  Context& ctx_;
  data::Images images_;
  bool streamed_ = false;
  Array<uint8_t> copy_;  // on a device, unless streamed
};

// The sources of one context, each made when it is first asked for.
class ImageSources {
 public:
  ImageSources(Context& ctx, Residency residency) : ctx_(ctx), residency_(residency) {}
  const ImageSource& of(const data::Images&);  // images of the same memory have the same source

 private:
  Context& ctx_;
  Residency residency_;
  std::vector<std::unique_ptr<ImageSource>> sources_;
};

}  // namespace kith
