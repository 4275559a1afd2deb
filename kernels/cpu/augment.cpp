#include "kernels/augment.h"

#include <algorithm>
#include <array>
#include <optional>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/cpu/augment_image.h"

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kGrain = 16;  // views per chunk: tens of microseconds of work each

Random stream(const Augment& a, int64_t row) {
  return {a.seed, a.live != nullptr ? a.live->epoch : a.epoch, static_cast<uint64_t>(a.index[row / a.views]),
          a.first_view + static_cast<uint32_t>(row % a.views)};
}

const uint8_t* sample(const Augment& a, int64_t row) {
  const int64_t at = row / a.views, size = int64_t{a.height} * a.width * a.channels;
  if (a.source == AugmentSource::all) return a.images + a.index[at] * size;
  return a.images + (a.live != nullptr ? a.live->images : 0) + at * size;
}

void store(float v, float& out) { out = v; }
void store(float v, bf16& out) { out = narrow(v); }

template <class T>
T* output(const Augment& a) {
  if constexpr (std::is_same_v<T, float>)
    return a.out;
  else
    return a.out_bf16;
}

// Normalised value of every byte, per channel: ((v / 255) - mean) / std, each step rounded to f32.
template <class T>
struct NormaliseTable {
  std::array<T, 256> channel[3];

  explicit NormaliseTable(const Normalisation& n) {
    for (int c = 0; c < 3; ++c)
      for (int v = 0; v < 256; ++v) store(normalised(n, c, v), channel[c][v]);
  }
  void operator()(Image image, T* nhwc) const {
    const int n = image.pixels();
    if (image.channels == 1) {
      for (int i = 0; i < n; ++i) nhwc[i] = channel[0][image.data[i]];
      return;
    }
    const uint8_t *r = image.plane(0), *g = image.plane(1), *b = image.plane(2);
    for (int i = 0; i < n; ++i) {
      nhwc[3 * i] = channel[0][r[i]];
      nhwc[3 * i + 1] = channel[1][g[i]];
      nhwc[3 * i + 2] = channel[2][b[i]];
    }
  }
};

// Weights from every crop size that occurs to one output size.
class WeightTable {
 public:
  WeightTable(int largest, int out) : out_(out), used_(static_cast<size_t>(largest) + 1), weights_(used_.size()) {}
  void want(int in) { used_[in] = true; }
  void build() {
    parallel_for(static_cast<int64_t>(used_.size()), 16, [&](int64_t begin, int64_t end) {
      for (int64_t in = begin; in < end; ++in)
        if (used_[in]) weights_[in] = resize_weights(static_cast<int>(in), out_);
    });
  }
  const ResizeWeights& operator[](int in) const { return weights_[in]; }

 private:
  int out_;
  std::vector<uint8_t> used_;
  std::vector<ResizeWeights> weights_;
};

void jitter(Image image, const SimclrView& v) {
  for (const JitterOp op : v.order) {
    if (op == JitterOp::brightness) brightness(image, v.brightness);
    if (op == JitterOp::contrast) contrast(image, v.contrast);
    if (op == JitterOp::saturation) saturation(image, v.saturation);
    if (op == JitterOp::hue && v.adjust_hue) hue(image, v.hue_shift);
  }
}

// Calls view(row, image, scratch, out) for every row; image has the output's size.
template <class T, class F>
void for_each_view(const Augment& a, F&& view) {
  const int64_t view_size = static_cast<int64_t>(a.out_height) * a.out_width * a.channels;
  parallel_for(static_cast<int64_t>(a.index.size()) * a.views, kGrain, [&](int64_t begin, int64_t end) {
    AugmentScratch scratch;
    scratch.image.resize(static_cast<size_t>(view_size));
    for (int64_t row = begin; row < end; ++row)
      view(row, Image{scratch.image.data(), a.channels, a.out_height, a.out_width}, scratch,
           output<T>(a) + row * view_size);
  });
}

template <class T>
void augment_none(const Augment& a) {
  const NormaliseTable<T> normalise(a.normalisation);
  const CropBox box{centre_offset(a.height - a.out_height), centre_offset(a.width - a.out_width), a.out_height,
                    a.out_width};
  for_each_view<T>(a, [&](int64_t row, Image image, AugmentScratch&, T* out) {
    crop_planar(sample(a, row), a.width, box, image);
    normalise(image, out);
  });
}

template <class T>
void augment_simclr(const Augment& a) {
  const int64_t rows = static_cast<int64_t>(a.index.size()) * a.views;
  std::vector<SimclrView> views(static_cast<size_t>(rows));
  parallel_for(rows, 256, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) views[row] = draw_simclr(stream(a, row), a.simclr, a.height, a.width);
  });
  WeightTable along_y(a.height, a.out_height), along_x(a.width, a.out_width);
  for (const SimclrView& v : views) {
    along_y.want(v.crop.height);
    along_x.want(v.crop.width);
  }
  along_y.build();
  along_x.build();

  const NormaliseTable<T> normalise(a.normalisation);
  for_each_view<T>(a, [&](int64_t row, Image image, AugmentScratch& scratch, T* out) {
    const SimclrView& v = views[row];
    resized_crop({.nhwc = sample(a, row),
                  .width = a.width,
                  .box = v.crop,
                  .along_x = along_x[v.crop.width],
                  .along_y = along_y[v.crop.height],
                  .flip = v.flip},
                 image, scratch);
    if (v.jitter) jitter(image, v);
    if (v.grayscale) grayscale(image);
    if (v.blur) gaussian_blur(image, v.sigma, scratch);
    normalise(image, out);
  });
}

template <class T>
void augment_strong(const Augment& a) {
  const NormaliseTable<T> normalise(a.normalisation);
  for_each_view<T>(a, [&](int64_t row, Image image, AugmentScratch& scratch, T* out) {
    const StrongView v = draw_strong(stream(a, row), a.strong, a.height, a.width, a.out_height, a.out_width);
    CropBox box = v.crop;
    if (v.flip) box.left = a.width - box.left - box.width;  // the crop is drawn in the flipped image
    crop_planar(sample(a, row), a.width, box, image);
    if (v.flip) flip_horizontal(image);
    for (int i = 0; i < v.operations; ++i) strong_operation(image, v.draws[i], scratch);
    normalise(image, out);
    cut_out(v, a.out_height, a.out_width, a.channels, out);
  });
}

template <class T>
void augment_as(const Augment& a) {
  switch (a.policy) {
    case AugmentPolicy::none:
      return augment_none<T>(a);
    case AugmentPolicy::simclr:
      return augment_simclr<T>(a);
    case AugmentPolicy::strong:
      return augment_strong<T>(a);
  }
  throw Error("augment: unknown policy");
}

}  // namespace

void augment(const Augment& a) { a.out_bf16 != nullptr ? augment_as<bf16>(a) : augment_as<float>(a); }

}  // namespace kith::kernels::cpu
