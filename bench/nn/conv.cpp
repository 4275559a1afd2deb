// Every convolution of ResNet-18, each pass, one by one. On the CPU the table that conv_form (nn/device/onednn/conv.cpp) was read from:
// in each form that oneDNN offers, reorders included; args: images, side, in, out, kernel, stride, pass (0 forward, 1 data,
// 2 weights), form (0 nhwc, 1 blocked, 2 winograd, 3 in tiles: kernels/winograd_bf16.h), format (0 f32, 2 bf16). On a GPU by the
// plan that nn/device/cudnn chose, the search not timed; the last argument is the format (0 f32, 1 TF32, 2 bf16).
#include "nn/device/onednn/conv.h"

#include "bench/nn/resnet18.h"
#include "bench/support.h"
#include "tests/nn/ops/conv_reference.h"

namespace kith {
namespace {

using bench::Format;

ConvShape shape_of(const benchmark::State& state) {
  const int kernel = static_cast<int>(state.range(4)), stride = static_cast<int>(state.range(5));
  return {.images = state.range(0),
          .height = state.range(1),
          .width = state.range(1),
          .in = state.range(2),
          .out = state.range(3),
          .kernel = kernel,
          .stride = stride,
          .padding = kernel / 2};
}

constexpr int64_t kInTiles = 3;  // beside the numbers of ConvForm

// Through DenseMath, whose rule takes tiles wherever they are offered.
void run_in_tiles(Context& ctx, const ConvShape& s, Pass pass, const PlanData& d) {
  DenseMath& math = ctx.math();
  if (pass == Pass::forward) math.conv_forward(s, DType::bf16, d.first, d.second, d.out);
  if (pass == Pass::backward_data) math.conv_backward_data(s, DType::bf16, d.first, d.second, d.out, Write::overwrite);
  if (pass == Pass::backward_weights)
    math.conv_backward_weights(s, DType::bf16, d.first, d.second, static_cast<float*>(d.out), Write::overwrite);
}

void conv_on_cpu(benchmark::State& state) {
  const ConvShape s = shape_of(state);
  const auto pass = static_cast<Pass>(state.range(6));
  const auto form = static_cast<ConvForm>(state.range(7));
  Context ctx;
  OneDnn dnn(ctx);
  const DType dtype = static_cast<Format>(state.range(8)) == Format::bf16 ? DType::bf16 : DType::f32;
  const auto tensor = [&](Shape shape, uint64_t seed) {
    const Tensor t = ctx.empty(std::move(shape), dtype);
    t.copy_from(test::normal(t.size(), {seed}));
    return t;
  };
  const Tensor x = tensor({s.images, s.height, s.width, s.in}, 1), w = tensor({s.out, s.kernel, s.kernel, s.in}, 2),
               y = tensor({s.images, s.out_height(), s.out_width(), s.out}, 3);
  const ConvTypes types{.operands = dtype, .result = pass == Pass::backward_weights ? DType::f32 : dtype};
  const Tensor out = ctx.empty(pass == Pass::forward         ? y.shape()
                               : pass == Pass::backward_data ? x.shape()
                                                             : w.shape(),
                               types.result);
  const PlanData data{.first = pass == Pass::backward_data ? y.raw() : x.raw(),
                      .second = pass == Pass::backward_weights ? y.raw() : w.raw(),
                      .out = out.raw()};
  if (state.range(7) == kInTiles) {
    if (!conv_in_tiles(s)) return state.SkipWithError("not in tiles");
    const auto work = [&] { run_in_tiles(ctx, s, pass, data); };  // tests/kernels/winograd_bf16.cpp
    work();                                                       // takes its memory
    return bench::run_verified(state, testing::AssertionSuccess(), {.flops = s.flops(), .bytes = 0}, work);
  }
  try {
    const Plan& plan = conv_plan(dnn, s, pass, form, types);
    run_plan(dnn, plan, data);  // against plain loops in tests/nn/ops/conv2d.cpp
    bench::run_verified(state, testing::AssertionSuccess(), {.flops = s.flops(), .bytes = 0},
                        [&] { run_plan(dnn, plan, data); });
  } catch (const std::exception& e) {
    state.SkipWithError(e.what());  // a form that oneDNN does not have for this shape; no failure
  }
}

// Numbers that repeat, as bench::activations has them.
struct Repeating {
  std::vector<float> block;
  double operator[](int64_t i) const { return double{block[static_cast<size_t>(i) % block.size()]}; }
};

// Element `at` of a pass's result by its definition, in f64. Operands: x and w, dy and w, x and dy.
double element(const ConvShape& s, Pass pass, const Repeating& a, const Repeating& b, int64_t at) {
  const int64_t oh = s.out_height(), ow = s.out_width(), k = s.kernel;
  const auto weight = [&](int64_t o, int64_t ki, int64_t kj, int64_t c) { return ((o * k + ki) * k + kj) * s.in + c; };
  const auto inside = [&](int64_t hi, int64_t wi) { return hi >= 0 && wi >= 0 && hi < s.height && wi < s.width; };
  double sum = 0;
  if (pass == Pass::backward_weights) {
    const int64_t c = at % s.in, kj = at / s.in % k, ki = at / s.in / k % k, o = at / s.in / k / k;
    for (int64_t n = 0; n < s.images; ++n)
      for (int64_t i = 0; i < oh; ++i)
        for (int64_t j = 0; j < ow; ++j) {
          const int64_t hi = i * s.stride + ki - s.padding, wi = j * s.stride + kj - s.padding;
          if (inside(hi, wi))
            sum += a[((n * s.height + hi) * s.width + wi) * s.in + c] * b[((n * oh + i) * ow + j) * s.out + o];
        }
    return sum;
  }
  const bool forward = pass == Pass::forward;
  const int64_t channels = forward ? s.out : s.in, w = forward ? ow : s.width, h = forward ? oh : s.height;
  const int64_t ch = at % channels, col = at / channels % w, row = at / channels / w % h, n = at / channels / w / h;
  for (int64_t ki = 0; ki < k; ++ki)
    for (int64_t kj = 0; kj < k; ++kj) {
      if (forward) {
        const int64_t hi = row * s.stride + ki - s.padding, wi = col * s.stride + kj - s.padding;
        for (int64_t c = 0; inside(hi, wi) && c < s.in; ++c)
          sum += a[((n * s.height + hi) * s.width + wi) * s.in + c] * b[weight(ch, ki, kj, c)];
        continue;
      }
      const int64_t up = row + s.padding - ki, left = col + s.padding - kj, i = up / s.stride, j = left / s.stride;
      const bool met = up >= 0 && left >= 0 && up % s.stride == 0 && left % s.stride == 0 && i < oh && j < ow;
      for (int64_t o = 0; met && o < s.out; ++o)
        sum += a[((n * oh + i) * ow + j) * s.out + o] * b[weight(o, ki, kj, ch)];
    }
  return sum;
}

// A convolution on the device, of activations of type A.
template <class A>
struct DeviceConv {
  ConvShape s;
  Pass pass;
  int64_t x_size = s.images * s.height * s.width * s.in, y_size = s.images * s.out_height() * s.out_width() * s.out,
          w_size = s.out * s.kernel * s.kernel * s.in;
  bench::Array<A> first, second, out;
  bench::Array<float> dw;

  DeviceConv(const ConvShape& shape, Pass p)
      : s(shape),
        pass(p),
        first(bench::activations<A>(first_size(), 1, {1})),
        second(bench::activations<A>(second_size(), 1, {2})),
        out(bench::memory(), pass == Pass::forward         ? y_size
                             : pass == Pass::backward_data ? x_size
                                                           : 0),
        dw(bench::memory(), pass == Pass::backward_weights ? w_size : 0) {}
  int64_t first_size() const { return pass == Pass::backward_data ? y_size : x_size; }
  int64_t second_size() const { return pass == Pass::backward_weights ? y_size : w_size; }
  void run(DenseMath& math) const {
    constexpr DType kType = sizeof(A) == 2 ? DType::bf16 : DType::f32;
    if (pass == Pass::forward) math.conv_forward(s, kType, first.data(), second.data(), out.data());
    if (pass == Pass::backward_data)
      math.conv_backward_data(s, kType, first.data(), second.data(), out.data(), Write::overwrite);
    if (pass == Pass::backward_weights)
      math.conv_backward_weights(s, kType, first.data(), second.data(), dw.data(), Write::overwrite);
  }
  // 16 elements of the result, spread over it, as in tests/nn/device/dense_math.cpp. TF32 cuts both operands of each term off
  // after 10 bits, where cuDNN does not round them: up to 2^-9 of a term, always towards zero, so that a sum loses as much.
  testing::AssertionResult verified(bool tf32) const {
    const bool weights = pass == Pass::backward_weights;
    const Repeating a{bench::widened(bench::drawn<A>(first_size(), {1}))},
        b{bench::widened(bench::drawn<A>(second_size(), {2}))};
    const int64_t size = weights ? w_size : pass == Pass::forward ? y_size : x_size;
    std::vector<float> got;
    std::vector<double> want;
    for (int64_t i = 0; i < 16; ++i) {
      const int64_t at = i * (size - 1) / 15;
      got.push_back(weights ? dw.at(at) : bench::widened(std::vector<A>{out.at(at)})[0]);
      want.push_back(element(s, pass, a, b, at));
    }
    const auto terms = static_cast<double>(test::conv_terms(s, pass));
    const double products = tf32 ? 8 * 0x1p-11 * std::sqrt(terms) : 0;
    return test::close(got, want,
                       {.abs = 100 * test::kUnit * terms + products,
                        .rel = sizeof(A) == 2 ? 0x1p-8
                               : tf32         ? 0x1p-9
                                              : 2 * test::kUnit});
  }
};

template <class A>
void conv_on_device(benchmark::State& state, Format format) {
  DenseMath* math = bench::machine().math(format == Format::tf32);
  check(math != nullptr, "convolutions on a GPU need cuDNN");
  const DeviceConv<A> c(shape_of(state), static_cast<Pass>(state.range(6)));
  c.run(*math);
  const double element = sizeof(A);
  const bool weights = c.pass == Pass::backward_weights;
  const double bytes =
      element * static_cast<double>(c.x_size + c.y_size) + (weights ? 4 : element) * static_cast<double>(c.w_size);
  bench::run_verified(
      state, c.verified(format == Format::tf32), {.flops = c.s.flops(), .bytes = bytes}, [&] { c.run(*math); },
      bench::bound_of(format));
}

void conv(benchmark::State& state) {
  if (bench::target() == bench::Target::cpu) return conv_on_cpu(state);
  const auto format = static_cast<Format>(state.range(7));
  format == Format::bf16 ? conv_on_device<bf16>(state, format) : conv_on_device<float>(state, format);
}

std::vector<std::vector<int64_t>> cases(const std::vector<bench::Layer>& layers,
                                        const std::vector<std::vector<int64_t>>& last) {
  std::vector<std::vector<int64_t>> all;
  for (const bench::Layer& l : layers)
    for (int64_t pass = 0; pass < 3; ++pass)
      for (const std::vector<int64_t>& each : last) {
        const ConvShape& s = l.shape;
        all.push_back({s.images, s.height, s.in, s.out, s.kernel, s.stride, pass});
        all.back().insert(all.back().end(), each.begin(), each.end());
      }
  return all;
}

bench::Sizes resnet_shapes() {
  bench::Sizes sizes;
  sizes.names = {"images", "side", "in", "out", "kernel", "stride", "pass"};
  if (bench::target() == bench::Target::cpu) sizes.names.push_back("form");
  sizes.names.push_back("format");
  struct Net {
    int64_t width, images, side, channels;
  };
  for (const Net n : {Net{16, 256, 32, 3}, {64, 64, 32, 3}, {16, 512, 16, 3}, {16, 512, 14, 1}})
    for (auto& each : cases(bench::resnet18(n.images, n.side, n.channels, n.width),
                            {{0, 0}, {1, 0}, {2, 0}, {0, 2}, {1, 2}, {kInTiles, 2}}))
      sizes.cpu.push_back(each);
  sizes.cuda = cases(bench::resnet18(1024, 32, 3, 64), {{1}, {2}});  // two views of a batch of 512
  sizes.smoke = cases({bench::resnet18(2, 6, 3, 4)[0], bench::resnet18(2, 6, 3, 4)[2]}, {{0}, {1}, {2}});
  return sizes;
}
const bench::Entry kConv{"conv", conv, resnet_shapes()};

}  // namespace
}  // namespace kith
