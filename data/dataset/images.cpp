// Functions of images alone: parts, resizing, statistics, presence of labels.
#include <algorithm>
#include <array>
#include <cmath>

#include "data/dataset/dataset.h"
#include "data/formats/files.h"

namespace kith::data {
namespace {

constexpr int kMaxSide = 4096;  // 4096^2 * 255 and the rounding still fit 32 bits

// Source pixel `from` weighs `weight` in destination pixel `to`, in units of 1 / (source size) of the destination
// pixel.
struct Overlap {
  int to, from;
  uint32_t weight;
};

// Both axes in units of 1 / (source * size): destination pixel i covers [i source, (i+1) source), source pixel j
// covers [j size, (j+1) size). The weights of one destination pixel add up to `source`.
std::vector<Overlap> overlaps(int source, int size) {
  std::vector<Overlap> out;
  for (int i = 0; i < size; ++i)
    for (int j = static_cast<int>(int64_t{i} * source / size);
         j < source && int64_t{j} * size < int64_t{i + 1} * source; ++j) {
      const int64_t begin = std::max(int64_t{i} * source, int64_t{j} * size);
      const int64_t end = std::min(int64_t{i + 1} * source, int64_t{j + 1} * size);
      if (end > begin) out.push_back({i, j, static_cast<uint32_t>(end - begin)});
    }
  return out;
}

}  // namespace

bool labelled(std::span<const int32_t> labels) {
  return std::ranges::any_of(labels, [&](int32_t label) { return label != labels.front(); });
}

Images Images::part(int64_t first, int64_t n) const {
  if (first < 0 || n < 0 || first > count - n) fail("images {} .. {} of {}", first, first + n - 1, count);
  Images out{.count = n, .height = height, .width = width, .channels = channels};
  out.pixels = pixels.part(static_cast<size_t>(first * image_bytes()), static_cast<size_t>(n * image_bytes()));
  if (!labels.empty()) out.labels.assign(labels.begin() + first, labels.begin() + first + n);
  if (!files.empty()) out.files.assign(files.begin() + first, files.begin() + first + n);
  return out;
}

Images resized(const Images& in, int size) {
  if (size < 1 || size > kMaxSide || in.height > kMaxSide || in.width > kMaxSide)
    fail("cannot resize {} x {} images to {}: expected sizes of 1..{}", in.height, in.width, size, kMaxSide);
  if (in.height == size && in.width == size) return in;
  const size_t row = static_cast<size_t>(in.width) * in.channels, out_row = static_cast<size_t>(size) * in.channels;
  std::vector<uint8_t> pixels(static_cast<size_t>(in.count) * size * out_row);
  const std::vector<Overlap> down = overlaps(in.height, size), across = overlaps(in.width, size);
  const uint32_t area = static_cast<uint32_t>(in.height) * static_cast<uint32_t>(in.width);
  const size_t channels = static_cast<size_t>(in.channels);

#pragma omp parallel
  {
    std::vector<uint32_t> columns(row), cells(out_row);  // sums over the rows of one output row; then over its columns
#pragma omp for schedule(static)
    for (int64_t n = 0; n < in.count; ++n) {
      const uint8_t* image = in.pixels.data() + n * in.height * static_cast<int64_t>(row);
      uint8_t* result = pixels.data() + n * size * static_cast<int64_t>(out_row);
      for (size_t d = 0; d < down.size();) {
        const int y = down[d].to;
        std::ranges::fill(columns, 0u);
        for (; d < down.size() && down[d].to == y; ++d) {
          const uint8_t* source = image + down[d].from * static_cast<int64_t>(row);
          const uint32_t weight = down[d].weight;
          for (size_t x = 0; x < row; ++x) columns[x] += weight * source[x];
        }
        std::ranges::fill(cells, area / 2);  // rounds to nearest, halves up
        for (const Overlap& o : across)
          for (size_t c = 0; c < channels; ++c) cells[o.to * channels + c] += o.weight * columns[o.from * channels + c];
        for (size_t x = 0; x < out_row; ++x) result[y * out_row + x] = static_cast<uint8_t>(cells[x] / area);
      }
    }
  }
  return {.count = in.count,
          .height = size,
          .width = size,
          .channels = in.channels,
          .pixels = std::move(pixels),
          .labels = in.labels,
          .files = in.files};
}

Statistics statistics(const Images& images) {
  Statistics out;
  if (images.channels < 1 || images.channels > 3) fail("statistics of {} channels: expected 1..3", images.channels);
  const size_t channels = static_cast<size_t>(images.channels), pixels = images.pixels.size() / channels;
  std::array<std::array<int64_t, 256>, 3> histogram{};  // exact and in any order the same
  for (size_t p = 0; p < pixels; ++p)
    for (size_t c = 0; c < channels; ++c) ++histogram[c][images.pixels[p * channels + c]];
  for (size_t c = 0; c < channels && pixels > 0; ++c) {
    const double n = static_cast<double>(pixels);
    double sum = 0, squares = 0;
    for (int v = 0; v < 256; ++v) sum += static_cast<double>(histogram[c][v]) * v;
    const double mean = sum / n;
    for (int v = 0; v < 256; ++v) squares += static_cast<double>(histogram[c][v]) * (v - mean) * (v - mean);
    out.mean[c] = mean / 255;
    out.std[c] = std::sqrt(squares / n) / 255;
  }
  for (const int32_t label : images.labels) {
    if (label < 0) fail("label {} is negative", label);
    if (static_cast<size_t>(label) >= out.per_class.size()) out.per_class.resize(static_cast<size_t>(label) + 1);
    ++out.per_class[static_cast<size_t>(label)];
  }
  return out;
}

}  // namespace kith::data
