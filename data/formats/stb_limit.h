// A bound on what stb_image allocates at once: a few kilobytes of a PNG's zlib stream can ask for gigabytes.
#pragma once
#include <cstddef>

namespace kith::data {

// While it lives, no single allocation of stb_image in this thread is larger; a decoder that asks for more fails.
class StbLimit {
 public:
  explicit StbLimit(size_t bytes);
  ~StbLimit();
  StbLimit(const StbLimit&) = delete;
  StbLimit& operator=(const StbLimit&) = delete;
};

bool stb_may_take(size_t bytes);

}  // namespace kith::data
