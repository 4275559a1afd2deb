#include "kernels/pool.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void expect_size(int64_t found, int64_t expected, std::string_view entry, std::string_view what) {
  check(found == expected, fmt::format("{}: {} has {} elements, expected {}", entry, what, found, expected));
}
template <class T>
void expect_size(std::span<T> v, int64_t expected, std::string_view entry, std::string_view what) {
  expect_size(static_cast<int64_t>(v.size()), expected, entry, what);
}

void validate(const PoolShape& s, std::string_view entry) {
  check(s.images >= 0 && s.height >= 1 && s.width >= 1 && s.channels >= 1 && s.kernel_height >= 1 &&
            s.kernel_width >= 1 && s.stride >= 1 && s.padding >= 0 && s.padding < s.kernel_height &&
            s.padding < s.kernel_width && s.height + 2 * s.padding >= s.kernel_height &&
            s.width + 2 * s.padding >= s.kernel_width,
        fmt::format("{}: kernel {} x {}, stride {}, padding {} on {} images of {} x {} x {}", entry, s.kernel_height,
                    s.kernel_width, s.stride, s.padding, s.images, s.height, s.width, s.channels));
  const int64_t largest = int64_t{1} << 31;
  check(int64_t{s.height} * s.width < largest / s.channels && s.out_size() / std::max<int64_t>(1, s.images) < largest,
        fmt::format("{}: an image of {} x {} x {} has 2^31 elements or more", entry, s.height, s.width, s.channels));
}

void validate_max(const PoolShape& s, std::string_view entry) {
  validate(s, entry);
  check(s.kernel_height <= 256 / s.kernel_width,
        fmt::format("{}: kernel {} x {} has more than 256 positions", entry, s.kernel_height, s.kernel_width));
}

void validate_global(int64_t images, int64_t pixels, int64_t channels, std::string_view entry) {
  check(images >= 0 && pixels >= 1 && channels >= 1 && pixels < (int64_t{1} << 31) / channels,
        fmt::format("{}: {} images of {} pixels, {} channels", entry, images, pixels, channels));
}

template <class A>
void run(const MaxPoolForward<A>& a, Queue q) {
  validate_max(a.shape, "max_pool_forward");
  expect_size(a.x, a.shape.in_size(), "max_pool_forward", "x");
  expect_size(a.y, a.shape.out_size(), "max_pool_forward", "y");
  if (!a.position.empty()) expect_size(a.position, a.shape.out_size(), "max_pool_forward", "position");
  if (q.device == Device::cuda) return cuda::max_pool_forward(a, q);
  cpu::max_pool_forward(a);
}

template <class A>
void run(const MaxPoolBackward<A>& a, Queue q) {
  validate_max(a.shape, "max_pool_backward");
  expect_size(a.dy, a.shape.out_size(), "max_pool_backward", "dy");
  expect_size(a.position, a.shape.out_size(), "max_pool_backward", "position");
  expect_size(a.dx, a.shape.in_size(), "max_pool_backward", "dx");
  if (q.device == Device::cuda) return cuda::max_pool_backward(a, q);
  cpu::max_pool_backward(a);
}

template <class A>
void run(const AveragePoolForward<A>& a, Queue q) {
  validate(a.shape, "average_pool_forward");
  expect_size(a.x, a.shape.in_size(), "average_pool_forward", "x");
  expect_size(a.y, a.shape.out_size(), "average_pool_forward", "y");
  if (q.device == Device::cuda) return cuda::average_pool_forward(a, q);
  cpu::average_pool_forward(a);
}

template <class A>
void run(const AveragePoolBackward<A>& a, Queue q) {
  validate(a.shape, "average_pool_backward");
  expect_size(a.dy, a.shape.out_size(), "average_pool_backward", "dy");
  expect_size(a.dx, a.shape.in_size(), "average_pool_backward", "dx");
  if (q.device == Device::cuda) return cuda::average_pool_backward(a, q);
  cpu::average_pool_backward(a);
}

template <class A>
void run(const GlobalAveragePoolForward<float, A>& a, Queue q) {
  validate_global(a.images, a.pixels, a.channels, "global_average_pool_forward");
  expect_size(a.x, a.images * a.pixels * a.channels, "global_average_pool_forward", "x");
  expect_size(a.y, a.images * a.channels, "global_average_pool_forward", "y");
  if (q.device == Device::cuda) return cuda::global_average_pool_forward(a, q);
  cpu::global_average_pool_forward(a);
}

template <class A>
void run(const GlobalAveragePoolBackward<float, A>& a, Queue q) {
  validate_global(a.images, a.pixels, a.channels, "global_average_pool_backward");
  expect_size(a.dy, a.images * a.channels, "global_average_pool_backward", "dy");
  expect_size(a.dx, a.images * a.pixels * a.channels, "global_average_pool_backward", "dx");
  if (q.device == Device::cuda) return cuda::global_average_pool_backward(a, q);
  cpu::global_average_pool_backward(a);
}

}  // namespace

void max_pool_forward(const MaxPoolForward<float>& a, Queue q) { run(a, q); }
void max_pool_forward(const MaxPoolForward<bf16>& a, Queue q) { run(a, q); }
void max_pool_backward(const MaxPoolBackward<float>& a, Queue q) { run(a, q); }
void max_pool_backward(const MaxPoolBackward<bf16>& a, Queue q) { run(a, q); }
void average_pool_forward(const AveragePoolForward<float>& a, Queue q) { run(a, q); }
void average_pool_forward(const AveragePoolForward<bf16>& a, Queue q) { run(a, q); }
void average_pool_backward(const AveragePoolBackward<float>& a, Queue q) { run(a, q); }
void average_pool_backward(const AveragePoolBackward<bf16>& a, Queue q) { run(a, q); }
void global_average_pool_forward(const GlobalAveragePoolForward<float>& a, Queue q) { run(a, q); }
void global_average_pool_forward(const GlobalAveragePoolForward<float, bf16>& a, Queue q) { run(a, q); }
void global_average_pool_backward(const GlobalAveragePoolBackward<float>& a, Queue q) { run(a, q); }
void global_average_pool_backward(const GlobalAveragePoolBackward<float, bf16>& a, Queue q) { run(a, q); }

}  // namespace kith::kernels
