#include "kernels/augment.h"

#include <numeric>

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::poison;

Cost run_augment(const Sizes& s, Queue q) {
  const int64_t size = s["side"] * s["side"] * s["channels"];
  Random random(7, 0, 0, 0);
  std::vector<uint8_t> pixels(static_cast<size_t>(s["images"] * size));
  for (uint8_t& v : pixels) v = static_cast<uint8_t>(random.below(256));
  std::vector<int64_t> samples(static_cast<size_t>(s["images"]));
  std::iota(samples.begin(), samples.end(), 0);
  const OnDevice<uint8_t> images(pixels);
  const OnDevice<int64_t> index(samples);
  const OnDevice<float> out(poison<float>(s["bf16"] != 0 ? 0 : s["images"] * s["views"] * size));
  const OnDevice<bf16> out_bf16(poison<bf16>(s["bf16"] != 0 ? s["images"] * s["views"] * size : 0));
  const int side = static_cast<int>(s["side"]);
  augment({.images = images.data(),
           .count = s["images"],
           .height = side,
           .width = side,
           .channels = static_cast<int>(s["channels"]),
           .index = index.span(),
           .views = static_cast<int>(s["views"]),
           .policy = static_cast<AugmentPolicy>(s["policy"]),
           .simclr = {},
           .strong = {},
           .normalisation = {},
           .out_height = side,
           .out_width = side,
           .out = s["bf16"] != 0 ? nullptr : out.data(),
           .out_bf16 = s["bf16"] != 0 ? out_bf16.data() : nullptr},
          q);
  return cost(augment_cost, s["images"] * s["views"], side * side, side * side, s["channels"], s["bf16"] != 0 ? 2 : 4);
}

// policy 0: none, 1: simclr, 2: strong
const Entries kAugmentEntries{
    {{"augment",
      {{"images", 8}, {"views", 2}, {"side", 32}, {"channels", 3}, {"policy", 1}, {"bf16", 0}},
      run_augment}}};

}  // namespace
}  // namespace kith::study
