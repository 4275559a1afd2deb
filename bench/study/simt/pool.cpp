#include "kernels/pool.h"

#include <algorithm>

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal, test::poison, test::Seed;

// x, y and their gradients of one pooling.
template <class A>
struct Pooling {
  PoolShape shape;
  OnDevice<A> in, out, dout, din;
  OnDevice<uint8_t> position;

  explicit Pooling(const PoolShape& s)
      : shape(s),
        in(drawn(s.in_size(), 1)),
        out(poison<A>(s.out_size())),
        dout(drawn(s.out_size(), 2)),
        din(poison<A>(s.in_size())),
        position(std::vector<uint8_t>(static_cast<size_t>(s.out_size()), 0)) {}
  static std::vector<A> drawn(int64_t count, uint64_t seed) {
    const std::vector<float> v = normal(count, Seed{seed});
    if constexpr (std::is_same_v<A, float>) return v;
    std::vector<A> half(v.size());
    if constexpr (std::is_same_v<A, bf16>) std::transform(v.begin(), v.end(), half.begin(), narrow);
    return half;
  }
};

// f(pooling) with activations of the chosen type, where `f` is generic.
template <class F>
void with_pooling(const Sizes& s, F f) {
  const int side = static_cast<int>(s["side"]), kernel = static_cast<int>(s["kernel"]);
  const PoolShape shape{.images = s["images"],
                        .height = side,
                        .width = side,
                        .channels = static_cast<int>(s["channels"]),
                        .kernel_height = kernel,
                        .kernel_width = kernel,
                        .stride = static_cast<int>(s["stride"]),
                        .padding = static_cast<int>(s["padding"])};
  s["bf16"] != 0 ? f(Pooling<bf16>(shape)) : f(Pooling<float>(shape));
}

template <class CostOf, class F>
Cost run_pooling(const Sizes& s, CostOf cost_of, F f) {
  Cost c;
  with_pooling(s, [&](const auto& p) {
    f(p);
    c = cost(cost_of, p.shape.in_size(), p.shape.out_size(), s["bf16"] != 0 ? 2 : 4);
  });
  return c;
}

Cost run_max_pool_forward(const Sizes& s, Queue q) {
  return run_pooling(s, max_pool_cost, [&]<class A>(const Pooling<A>& p) {
    max_pool_forward(
        MaxPoolForward<A>{.shape = p.shape, .x = p.in.span(), .y = p.out.span(), .position = p.position.span()}, q);
  });
}
Cost run_max_pool_backward(const Sizes& s, Queue q) {
  return run_pooling(s, max_pool_cost, [&]<class A>(const Pooling<A>& p) {
    max_pool_backward(
        MaxPoolBackward<A>{.shape = p.shape, .dy = p.dout.span(), .position = p.position.span(), .dx = p.din.span()},
        q);
  });
}
Cost run_average_pool_forward(const Sizes& s, Queue q) {
  return run_pooling(s, average_pool_cost, [&]<class A>(const Pooling<A>& p) {
    average_pool_forward(AveragePoolForward<A>{.shape = p.shape, .x = p.in.span(), .y = p.out.span()}, q);
  });
}
Cost run_average_pool_backward(const Sizes& s, Queue q) {
  return run_pooling(s, average_pool_cost, [&]<class A>(const Pooling<A>& p) {
    average_pool_backward(AveragePoolBackward<A>{.shape = p.shape, .dy = p.dout.span(), .dx = p.din.span()}, q);
  });
}

// The window of a global average is the image.
template <class F>
Cost run_global(const Sizes& s, F f) {
  Sizes whole{{"images", s["images"]}, {"side", s["side"]}, {"channels", s["channels"]}, {"kernel", s["side"]},
              {"stride", 1},           {"padding", 0},      {"bf16", s["bf16"]}};
  const int64_t pixels = s["side"] * s["side"];
  const OnDevice<float> y(normal(s["images"] * s["channels"], Seed{3}));
  with_pooling(whole, [&](const auto& p) { f(p, pixels, y.span()); });
  return cost(global_average_pool_cost, s["images"], pixels, s["channels"], s["bf16"] != 0 ? 2 : 4);
}

Cost run_global_average_pool_forward(const Sizes& s, Queue q) {
  return run_global(s, [&]<class A>(const Pooling<A>& p, int64_t pixels, std::span<float> y) {
    global_average_pool_forward(
        GlobalAveragePoolForward<float, A>{
            .images = p.shape.images, .pixels = pixels, .channels = p.shape.channels, .x = p.in.span(), .y = y},
        q);
  });
}
Cost run_global_average_pool_backward(const Sizes& s, Queue q) {
  return run_global(s, [&]<class A>(const Pooling<A>& p, int64_t pixels, std::span<float> dy) {
    global_average_pool_backward(
        GlobalAveragePoolBackward<float, A>{
            .images = p.shape.images, .pixels = pixels, .channels = p.shape.channels, .dy = dy, .dx = p.din.span()},
        q);
  });
}

const Sizes kWindows{{"images", 2}, {"side", 32},   {"channels", 64}, {"kernel", 3},
                     {"stride", 2}, {"padding", 1}, {"bf16", 0}};
const Sizes kWhole{{"images", 8}, {"side", 4}, {"channels", 512}, {"bf16", 0}};
const Entries kPoolEntries{{{"max_pool_forward", kWindows, run_max_pool_forward},
                            {"max_pool_backward", kWindows, run_max_pool_backward},
                            {"average_pool_forward", kWindows, run_average_pool_forward},
                            {"average_pool_backward", kWindows, run_average_pool_backward},
                            {"global_average_pool_forward", kWhole, run_global_average_pool_forward},
                            {"global_average_pool_backward", kWhole, run_global_average_pool_backward}}};

}  // namespace
}  // namespace kith::study
