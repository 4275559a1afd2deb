// WebP by libwebp.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "data/pictures/exif.h"
#include "data/pictures/formats.h"

namespace kith::data {
namespace {

const char* reason_of(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "out of memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "a feature that libwebp does not know";
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "the file is cut off";
    default:
      return "damaged data";
  }
}

using Demuxer = std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)>;

int webp_orientation(const Demuxer& demuxer) {
  WebPChunkIterator chunk{};
  int orientation = 1;
  if (WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk) != 0)
    orientation = exif_orientation({chunk.chunk.bytes, chunk.chunk.size});
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

std::vector<uint8_t> first_frame(const WebPData& data, size_t pixels, const Colour& background) {
  WebPAnimDecoderOptions settings;
  if (WebPAnimDecoderOptionsInit(&settings) == 0) fail("libwebp: another version than the headers'");
  settings.color_mode = MODE_RGBA;
  const std::unique_ptr<WebPAnimDecoder, decltype(&WebPAnimDecoderDelete)> decoder(WebPAnimDecoderNew(&data, &settings),
                                                                                   WebPAnimDecoderDelete);
  uint8_t* frame = nullptr;
  int time = 0;
  if (!decoder || WebPAnimDecoderGetNext(decoder.get(), &frame, &time) == 0)
    fail("cannot be decoded: the first frame of the animation is damaged");
  return composite(frame, pixels, background);
}

}  // namespace

Stored decode_webp(Bytes file, const DecodeOptions& options, Turn& turn) {
  WebPBitstreamFeatures features;
  if (const VP8StatusCode status = WebPGetFeatures(file.data(), file.size(), &features); status != VP8_STATUS_OK)
    fail("cannot be decoded: {}", reason_of(status));
  admit(features.width, features.height, features.has_animation != 0 ? 18 : 14, turn);
  const WebPData data{file.data(), file.size()};
  const Demuxer demuxer(WebPDemux(&data), WebPDemuxDelete);  // nothing where the file is shorter than it says
  if (!demuxer) fail("cannot be decoded: the file is cut off or damaged");
  const size_t pixels = static_cast<size_t>(features.width) * static_cast<size_t>(features.height);
  std::vector<uint8_t> rgb;
  if (features.has_animation != 0) {
    rgb = first_frame(data, pixels, options.background);
  } else {
    std::vector<uint8_t> rgba(pixels * 4);
    if (WebPDecodeRGBAInto(file.data(), file.size(), rgba.data(), rgba.size(), features.width * 4) == nullptr)
      fail("cannot be decoded: damaged data");
    rgb = composite(rgba.data(), pixels, options.background);
  }
  return {.raster = whole(features.height, features.width, std::move(rgb)), .orientation = webp_orientation(demuxer)};
}

}  // namespace kith::data
