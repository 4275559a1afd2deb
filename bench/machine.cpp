#include "bench/machine.h"

#include <algorithm>
#include <chrono>

#include "kernels/elementwise.h"

namespace kith::bench {
namespace {

const bool kSmoke = target() == Target::smoke;
const int64_t kColdFloats = kSmoke ? 1 << 10 : 1 << 26;  // 256 MiB: several times any L2
constexpr int kFewest = 30, kMost = 200;                 // samples
constexpr double kSampling = 0.2, kWarmUp = 0.02;        // seconds; clocks rise while it warms up

DeviceChoice choice() { return select_device({.kind = DeviceRequest::Kind::automatic, .index = {}}, list_devices()); }

std::shared_ptr<float> floats(const std::shared_ptr<Accelerator>& where, int64_t count) {
  const auto bytes = static_cast<size_t>(count) * sizeof(float);
  const std::shared_ptr<float> block(static_cast<float*>(where->allocate(bytes)),
                                     [where](float* p) { where->release(p); });
  where->zero(block.get(), bytes);
  return block;
}

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Machine::Machine() {
  if (target() == Target::cpu) {
    memory_ = std::make_shared<HostMemory>();
    return;
  }
  accelerator_ = open_accelerator(choice().index);
  memory_ = accelerator_;
  begin_ = accelerator_->event(true);
  end_ = accelerator_->event(true);
  cold_ = floats(accelerator_, kColdFloats);
  sum_ = floats(accelerator_, 1);
}

Queue Machine::queue() const { return accelerator_ ? accelerator_->queue() : Queue{}; }

DeviceMath* Machine::math() {
  if (!math_tried_) {
    math_tried_ = true;
    try {
      math_ = make_device_math(queue(), {});
    } catch (const Error&) {  // kernels are timed all the same; what needs it says that it has none
    }
  }
  return math_.get();
}

void Machine::flush() {
  kernels::sum({.x = {cold_.get(), static_cast<size_t>(kColdFloats)}, .y = {sum_.get(), 1}}, queue());
}

Timing Machine::time(const std::function<void()>& f) {
  const auto start = std::chrono::steady_clock::now();
  for (int call = 0; call < (kSmoke ? 1 : 3) || (!kSmoke && since(start) < kWarmUp); ++call) {
    f();
    accelerator_->sync();
  }
  std::vector<double> seconds;
  const auto enough = [&] {
    const auto taken = static_cast<int>(seconds.size());
    return kSmoke ? taken > 0 : taken >= kMost || (taken >= kFewest && since(start) > kSampling);
  };
  while (!enough()) {
    flush();
    begin_->record(Lane::compute);
    f();
    end_->record(Lane::compute);
    end_->wait();
    seconds.push_back(end_->ms_since(*begin_) * 1e-3);
  }
  std::ranges::sort(seconds);
  const auto at = [&](double share) {
    return seconds[static_cast<size_t>(share * static_cast<double>(seconds.size() - 1))];
  };
  return {.median = at(0.5), .low = at(0.25), .high = at(0.75), .samples = static_cast<int>(seconds.size())};
}

double Machine::copy_rate() {
  if (copy_rate_ < 0) {
    const int64_t count = kSmoke ? 1 << 10 : 1 << 27;  // 512 MiB each way
    const std::shared_ptr<float> from = floats(accelerator_, count), to = floats(accelerator_, count);
    const auto bytes = static_cast<size_t>(count) * sizeof(float);
    copy_rate_ = 2 * static_cast<double>(bytes) / time([&] { accelerator_->copy(to.get(), from.get(), bytes); }).median;
  }
  return copy_rate_;
}

double Machine::flop_rate(Bound bound) {
  double& rate = flop_rate_[static_cast<int>(bound)];
  if (rate < 0) rate = math() == nullptr ? 0 : measure_flops(bound);
  return rate;
}

// [rows, inner] times [inner, cols] of numbers, not of zeros: a product of zeros draws less power and is faster.
double Machine::measure_flops(Bound bound) {
  const int64_t rows = kSmoke ? 32 : bound == Bound::f32 ? 4096 : 16384, side = kSmoke ? 16 : 4096;
  const Array<float> x(memory(), draws(rows * side, {1})), w(memory(), draws(side * side, {2}));
  const double flops = 2 * static_cast<double>(rows * side * side);
  if (bound == Bound::f32) {
    const Array<float> y(memory(), rows * side);
    const LinearShape shape{.rows = rows, .in = side, .out = side};
    return flops /
           time([&] { math_->linear_forward(shape, x.data(), w.data(), nullptr, y.data(), Activation::none); }).median;
  }
  const Array<bf16> half_x(memory(), rows * side), half_w(memory(), side * side), half_y(memory(), rows * side);
  kernels::to_bf16({.x = x.span(), .y = half_x.span()}, queue());
  kernels::to_bf16({.x = w.span(), .y = half_w.span()}, queue());
  const ConvShape shape{.images = rows / 16, .height = 4, .width = 4, .in = side, .out = side};
  return flops /
         time([&] { math_->conv_forward(shape, DType::bf16, half_x.data(), half_w.data(), half_y.data()); }).median;
}

Machine& machine() {
  static Machine one;
  return one;
}

Memory& host() {
  static HostMemory one;
  return one;
}

std::string absent() {
  if (target() == Target::cpu) return "";
  const DeviceChoice found = choice();
  return found.device == Device::cuda ? "" : "no CUDA device: " + found.reason;
}

std::vector<float> draws(int64_t count, test::Seed seed, float scale) {
  constexpr int64_t kPeriod = 1 << 20;
  std::vector<float> values = test::normal(std::min(count, kPeriod), seed, scale);
  values.reserve(static_cast<size_t>(count));
  for (int64_t i = kPeriod; i < count; ++i) values.push_back(values[static_cast<size_t>(i - kPeriod)]);
  return values;
}

test::HostMatrix<float> draws(int64_t rows, int64_t cols, test::Seed seed, float scale) {
  test::HostMatrix<float> m;
  m.rows = rows, m.cols = cols, m.values = draws(rows * cols, seed, scale);
  return m;
}

}  // namespace kith::bench
