#include "data/pictures/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kith::data {
namespace {

constexpr int kBits = 22;  // of the weights' fraction: 8 of a pixel and 2 to spare fit into 32

// Weights of the source pixels of each destination pixel, along one axis.
struct Filter {
  struct Tap {
    int first = 0, count = 0;
  };
  std::vector<Tap> taps;
  std::vector<int32_t> weights;  // [taps.size(), most]
  int most = 0;
  int begin() const { return taps.front().first; }
  int end() const {
    int end = 0;
    for (const Tap& tap : taps) end = std::max(end, tap.first + tap.count);
    return end;
  }
};

// `length` source pixels from `start` on become `size`; the source has `extent`.
Filter triangle(int extent, double start, double length, int size) {
  const double scale = length / size, support = std::max(scale, 1.0), inverse = 1.0 / support;
  Filter out{.taps = std::vector<Filter::Tap>(static_cast<size_t>(size)), .weights = {}};
  out.most = static_cast<int>(std::ceil(support)) * 2 + 1;
  out.weights.assign(static_cast<size_t>(size) * static_cast<size_t>(out.most), 0);
  std::vector<double> weights(static_cast<size_t>(out.most));
  for (int i = 0; i < size; ++i) {
    const double centre = start + (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int count = std::min(static_cast<int>(centre + support + 0.5), extent) - first;
    double sum = 0;
    for (int x = 0; x < count; ++x) {
      const double distance = std::abs((x + first - centre + 0.5) * inverse);
      sum += weights[static_cast<size_t>(x)] = std::max(1.0 - distance, 0.0);
    }
    for (int x = 0; x < count; ++x) {
      const double share = sum != 0 ? weights[static_cast<size_t>(x)] / sum : 0;
      out.weights[static_cast<size_t>(i) * static_cast<size_t>(out.most) + static_cast<size_t>(x)] =
          static_cast<int32_t>(0.5 + share * (1 << kBits));
    }
    out.taps[static_cast<size_t>(i)] = {first, count};
  }
  return out;
}

uint8_t to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255)); }

// Four numbers side by side, as one processor register has them; of a pixel's bytes the fourth is the next pixel's first.
typedef uint8_t Bytes4 __attribute__((vector_size(4)));
typedef int32_t Sums4 __attribute__((vector_size(16)));

// A row filtered across. A byte after its last pixel is read, and does not count.
void across(const uint8_t* row, const Filter& filter, uint8_t* out) {
  for (size_t i = 0; i < filter.taps.size(); ++i) {
    const auto [first, count] = filter.taps[i];
    const int32_t* weights = filter.weights.data() + i * static_cast<size_t>(filter.most);
    const uint8_t* pixel = row + first * 3;
    Sums4 sums = Sums4{} + (1 << (kBits - 1));
    for (int x = 0; x < count; ++x, pixel += 3) {
      Bytes4 bytes;
      std::memcpy(&bytes, pixel, sizeof(bytes));
      sums += weights[x] * __builtin_convertvector(bytes, Sums4);
    }
    for (int c = 0; c < 3; ++c) *out++ = to_byte(sums[c]);
  }
}

}  // namespace

void resize_square(const Raster& in, int size, std::span<uint8_t> out) {
  const double side = std::min(in.box_height, in.box_width);
  const Filter columns = triangle(in.width, in.left + (in.box_width - side) / 2, side, size);
  const Filter rows = triangle(in.height, in.top + (in.box_height - side) / 2, side, size);
  const size_t bytes = static_cast<size_t>(size) * 3;
  const int begin = rows.begin(), end = rows.end();
  std::vector<uint8_t> narrow(static_cast<size_t>(end - begin) * bytes);
  const auto row_bytes = static_cast<int64_t>(in.width) * 3;
  std::vector<uint8_t> last(in.pixels.end() - row_bytes, in.pixels.end());
  last.push_back(0);
  for (int y = begin; y < end; ++y)
    across(y + 1 < in.height ? in.pixels.data() + y * row_bytes : last.data(), columns,
           narrow.data() + static_cast<size_t>(y - begin) * bytes);

  std::vector<int32_t> sums(bytes);
  for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
    std::ranges::fill(sums, 1 << (kBits - 1));
    for (int y = 0; y < rows.taps[i].count; ++y) {
      const int32_t weight = rows.weights[i * static_cast<size_t>(rows.most) + static_cast<size_t>(y)];
      const uint8_t* row = narrow.data() + static_cast<size_t>(rows.taps[i].first + y - begin) * bytes;
      for (size_t x = 0; x < bytes; ++x) sums[x] += weight * row[x];
    }
    std::ranges::transform(sums, out.begin() + static_cast<int64_t>(i * bytes), to_byte);
  }
}

}  // namespace kith::data
