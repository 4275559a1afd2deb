// The table that conv_form (nn/onednn/conv.cpp) was read from: every convolution of ResNet-18, each pass, in each form that
// oneDNN offers, reorders included. Args: images, side, in, out, kernel, stride, pass (0 forward, 1 data, 2 weights), form
// (0 nhwc, 1 blocked, 2 winograd).
#include "nn/onednn/conv.h"

#include "bench/support.h"

namespace kith {
namespace {

void conv(benchmark::State& state) {
  const int kernel = static_cast<int>(state.range(4)), stride = static_cast<int>(state.range(5));
  const ConvShape s{.images = state.range(0),
                    .height = state.range(1),
                    .width = state.range(1),
                    .in = state.range(2),
                    .out = state.range(3),
                    .kernel = kernel,
                    .stride = stride,
                    .padding = kernel / 2};
  const auto pass = static_cast<Pass>(state.range(6));
  const auto form = static_cast<ConvForm>(state.range(7));
  Context ctx;
  const Tensor x =
      ctx.from({s.images, s.height, s.width, s.in}, test::normal(s.images * s.height * s.width * s.in, {1}));
  const Tensor w = ctx.from({s.out, kernel, kernel, s.in}, test::normal(s.out * kernel * kernel * s.in, {2}));
  const Tensor y = ctx.full({s.images, s.out_height(), s.out_width(), s.out}, 1.f);
  const Tensor out = ctx.zeros(pass == Pass::forward ? y.shape() : pass == Pass::backward_data ? x.shape() : w.shape());
  const PlanData data{.first = pass == Pass::backward_data ? y.data() : x.data(),
                      .second = pass == Pass::backward_weights ? y.data() : w.data(),
                      .out = out.data()};
  try {
    const Plan& plan = conv_plan(ctx, s, pass, form);
    run_plan(ctx, plan, data);  // against plain loops in tests/nn/conv2d.cpp
    bench::run_verified(state, testing::AssertionSuccess(), {.flops = s.flops(), .bytes = 0},
                        [&] { run_plan(ctx, plan, data); });
  } catch (const std::exception& e) {
    state.SkipWithError(e.what());  // a form that oneDNN does not have for this shape; no failure
  }
}

bench::Sizes resnet_shapes() {
  bench::Sizes sizes;
  sizes.names = {"images", "side", "in", "out", "kernel", "stride", "pass", "form"};
  struct Net {
    int64_t width, images, side, channels;
  };
  for (const Net n : {Net{16, 256, 32, 3}, {64, 64, 32, 3}, {16, 512, 16, 3}, {16, 512, 14, 1}}) {
    std::vector<std::vector<int64_t>> layers{{n.images, n.side, n.channels, n.width, 3, 1}};
    int64_t side = n.side;
    for (int64_t l = 0, c = n.width; l < 4; ++l, c *= 2) {
      if (l > 0) {
        layers.push_back({n.images, side, c / 2, c, 3, 2});
        layers.push_back({n.images, side, c / 2, c, 1, 2});
        side = (side + 1) / 2;
      }
      layers.push_back({n.images, side, c, c, 3, 1});
    }
    for (const std::vector<int64_t>& layer : layers)
      for (int64_t pass = 0; pass < 3; ++pass)
        for (int64_t form = 0; form < 3; ++form) {
          std::vector<int64_t> args = layer;
          args.push_back(pass);
          args.push_back(form);
          sizes.cpu.push_back(args);
        }
  }
  return sizes;
}
const bench::Entry kConv{"conv", conv, resnet_shapes()};

}  // namespace
}  // namespace kith
