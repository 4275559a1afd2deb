// The one place where stb's functions are compiled; CMake turns our warnings off for this file.
#include <zlib.h>

#include <cstdint>
#include <cstdlib>

#include "data/formats/stb_limit.h"

namespace kith::data {
namespace {
thread_local size_t stb_largest = SIZE_MAX;
}

StbLimit::StbLimit(size_t bytes) { stb_largest = bytes; }
StbLimit::~StbLimit() { stb_largest = SIZE_MAX; }
bool stb_may_take(size_t bytes) { return bytes <= stb_largest; }

namespace {

// zlib's in place of stb's own, whose codes are fixed: a page of pictures is a fifth smaller.
unsigned char* compressed(const unsigned char* bytes, int count, int* written, int) {
  uLongf room = compressBound(static_cast<uLong>(count));
  auto* out = static_cast<unsigned char*>(std::malloc(room));
  if (out == nullptr) return nullptr;
  if (compress2(out, &room, bytes, static_cast<uLong>(count), Z_BEST_COMPRESSION) != Z_OK || room > INT32_MAX) {
    std::free(out);
    return nullptr;
  }
  *written = static_cast<int>(room);
  return out;
}

}  // namespace

}  // namespace kith::data

#define STBI_MALLOC(bytes) (kith::data::stb_may_take(bytes) ? std::malloc(bytes) : nullptr)
#define STBI_REALLOC(start, bytes) (kith::data::stb_may_take(bytes) ? std::realloc(start, bytes) : nullptr)
#define STBI_FREE(start) std::free(start)
#define STB_IMAGE_IMPLEMENTATION
#define STBI_NO_JPEG
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_PIC
#define STBI_NO_PNM
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS (1 << 16)
#include <stb/stb_image.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STBIW_ZLIB_COMPRESS kith::data::compressed
#include <stb/stb_image_write.h>
