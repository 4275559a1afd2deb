#include "scan/input/image_source.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith {

ImageSource::ImageSource(Context& ctx, const data::Images& images, Residency residency) try
    : ctx_(ctx), images_(images) {
  if (ctx.on_cpu()) return;
  const data::Pixels& pixels = images.pixels;
  streamed_ = residency == Residency::host ||
              (residency == Residency::automatic && !ctx.has_room(static_cast<int64_t>(pixels.size())));
  if (!streamed_) copy_ = Array<uint8_t>(ctx, pixels);
} catch (const OutOfMemory& e) {
  throw Error(fmt::format("{}; --stream yes leaves the images on the host", e.what()));
}

const ImageSource& ImageSources::of(const data::Images& images) {
  for (const auto& source : sources_)
    if (source->images().pixels.data() == images.pixels.data() && source->images().count == images.count)
      return *source;
  return *sources_.emplace_back(std::make_unique<ImageSource>(ctx_, images, residency_));
}

}  // namespace kith
