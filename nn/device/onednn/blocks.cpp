#include "nn/device/onednn/blocks.h"

#include <algorithm>

#include "kernels/core/parallel.h"

namespace kith {
namespace {

struct BlockPlans {
  const Plan &each, &last;
};

BlockPlans block_plans(OneDnn& dnn, ConvShape s, Pass pass, ConvForm form, ConvTypes types, int64_t images) {
  const OneThread one;
  const int64_t rest = s.images - (ceil_div(s.images, images) - 1) * images;
  s.images = images;
  const Plan& each = conv_plan(dnn, s, pass, form, types);
  s.images = rest;
  return {each, conv_plan(dnn, s, pass, form, types)};
}

// parts [blocks, count] -> out [count]; the first row of parts is overwritten
void add_in_order(const Tensor& parts, float* out, Write write) {
  const int64_t blocks = parts.dim(0), count = parts.dim(1);
  parallel_for(count, 4096, [&](int64_t begin, int64_t end) {
    float* total = parts.data();
    for (int64_t b = 1; b < blocks; ++b) {
      const float* part = parts.data() + b * count;
      for (int64_t i = begin; i < end; ++i) total[i] += part[i];
    }
    if (write == Write::overwrite)
      std::copy(total + begin, total + end, out + begin);
    else
      for (int64_t i = begin; i < end; ++i) out[i] += total[i];
  });
}

// f(first image of a block, images of it): each on one thread.
template <class F>
void for_blocks(const ConvShape& s, int64_t images, F&& f) {
  parallel_for(s.images, images, [&](int64_t first, int64_t end) {
    const OneThread one;
    f(first, end - first);
  });
}

}  // namespace

// Times of blocks over the whole pass, ResNet-18 of width 16 and 64 on two threads of a Xeon (Sapphire Rapids or newer, AVX-512):
// 0.9 to 1.05 from 2,048 pixels a block on (4,096 in Winograd's form), up to 1.7 at 512, where what is done once per block
// outweighs its images; for more than two threads there are at least 4 blocks all the same, but with 256 x 256 weights and more
// these cost 1.3 (2 cost 1.0 to 1.1).
//
// Winograd: by the number of threads, oneDNN 2.6 chooses schedules that take products over more than 128 channels in other
// portions. With 512 x 512 weights it chose one for 1 to 16 threads, whose threads share no sum in any pass; there two blocks of
// 32 images would cost 1.4 to 1.5, so the pass stays whole.
std::optional<int64_t> conv_block_images(const ConvShape& s, Pass pass, ConvForm form) {
  constexpr int64_t kMost = 32;
  const bool winograd = form == ConvForm::winograd;
  if (winograd && s.in * s.out >= 512 * 512) return {};
  const int64_t channels = pass == Pass::forward ? s.in : s.out;  // that are summed over
  if (pass != Pass::backward_weights && !(winograd && channels > 128)) return {};
  const int64_t pixels = s.out_height() * s.out_width();
  const int64_t least = s.in * s.out >= 256 * 256 ? 2 : 4;
  const int64_t efficient = std::max(ceil_div(winograd ? 4096 : 2048, pixels), ceil_div(s.images, kMost));
  return std::min(efficient, ceil_div(s.images, least));
}

void plan_pass(OneDnn& dnn, const ConvShape& s, Pass pass, ConvForm form, ConvTypes types) {
  if (const auto images = conv_block_images(s, pass, form))
    block_plans(dnn, s, pass, form, types, *images);
  else
    conv_plan(dnn, s, pass, form, types);
}

void sum_of_blocks(Context& ctx, const ConvShape& s, int64_t images, float* out, Write write,
                   const WeightsOfImages& part) {
  const Tensor parts = ctx.empty({ceil_div(s.images, images), s.out * s.kernel * s.kernel * s.in});
  for_blocks(s, images,
             [&](int64_t first, int64_t count) { part(first, count, parts.data() + first / images * parts.dim(1)); });
  add_in_order(parts, out, write);
}

void run_pass(OneDnn& dnn, const ConvShape& s, Pass pass, ConvForm form, ConvTypes types, const PlanData& data) {
  const auto images = conv_block_images(s, pass, form);
  if (!images) return run_plan(dnn, conv_plan(dnn, s, pass, form, types), data);
  const BlockPlans plans = block_plans(dnn, s, pass, form, types, *images);
  const auto plan_of = [&](int64_t first, int64_t count) -> const Plan& {
    return first + count == s.images ? plans.last : plans.each;
  };
  const int64_t x = s.height * s.width * s.in, y = s.out_height() * s.out_width() * s.out;  // elements of an image
  const auto operand = [&](const void* p, int64_t elements) {
    return static_cast<const char*>(p) + elements * size_of(types.operands);
  };
  if (pass != Pass::backward_weights) {
    const int64_t from = pass == Pass::forward ? x : y, to = pass == Pass::forward ? y : x;
    return for_blocks(s, *images, [&](int64_t first, int64_t count) {
      run_plan(dnn, plan_of(first, count),
               {.first = operand(data.first, first * from),
                .second = data.second,
                .out = static_cast<char*>(data.out) + first * to * size_of(types.result),
                .write = data.write});
    });
  }
  sum_of_blocks(
      dnn.ctx, s, *images, static_cast<float*>(data.out), data.write, [&](int64_t first, int64_t count, float* dw) {
        run_plan(dnn, plan_of(first, count),
                 {.first = operand(data.first, first * x), .second = operand(data.second, first * y), .out = dw});
      });
}

}  // namespace kith
