#include "bench/machine.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "kernels/elementwise.h"
#include "nn/device/plans/plan_store.h"
#include "nn/tensor/ceilings.h"

namespace kith::bench {
namespace {

const bool kSmoke = target() == Target::smoke;
const int64_t kColdFloats = kSmoke ? 1 << 10 : 1 << 26;  // 256 MiB: several times any L2
constexpr int kFewest = 30, kMost = 200;                 // samples
constexpr double kSampling = 0.2, kWarmUp = 0.02;        // seconds; clocks rise while it warms up
constexpr double kFastestFlush = 3e-5;                   // seconds: 256 MiB at 9 TB/s, more than any memory has
constexpr int kMostFlushes = 32;                         // a call that waits for the device needs none

std::unique_ptr<Machine> the_machine;

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

// prepare(seconds in which the host has enqueued f)
Timing sample(Accelerator& device, const std::function<void()>& f, const std::function<void(double)>& prepare) {
  const std::unique_ptr<Event> begin = device.event(true), end = device.event(true);
  const auto start = std::chrono::steady_clock::now();
  double host = 1e30;
  const auto enqueue = [&] {
    const auto before = std::chrono::steady_clock::now();
    f();
    host = std::min(host, since(before));
  };
  for (int call = 0; call < 3 || (!kSmoke && since(start) < kWarmUp); ++call) {
    enqueue();
    device.sync();
  }
  std::vector<double> seconds;
  const auto enough = [&] {
    const auto taken = static_cast<int>(seconds.size());
    return kSmoke ? taken > 0 : taken >= kMost || (taken >= kFewest && since(start) > kSampling);
  };
  while (!enough()) {
    prepare(host);
    begin->record(Lane::compute);
    enqueue();
    end->record(Lane::compute);
    end->wait();
    seconds.push_back(end->ms_since(*begin) * 1e-3);
  }
  std::ranges::sort(seconds);
  const auto at = [&](double share) {
    return seconds[static_cast<size_t>(share * static_cast<double>(seconds.size() - 1))];
  };
  return {
      .median = at(0.5), .low = at(0.25), .high = at(0.75), .samples = static_cast<int>(seconds.size()), .host = host};
}

}  // namespace

Machine::Machine() {
  if (on_cpu()) {
    memory_ = std::make_shared<HostMemory>();
    return;
  }
  accelerator_ = open_accelerator(choice().index);
  memory_ = accelerator_;
  cold_ = floats(accelerator_, kColdFloats);
  sum_ = floats(accelerator_, 1);
}

Queue Machine::queue() const { return accelerator_ ? accelerator_->queue() : Queue{}; }

DenseMath* Machine::math(bool tf32) {
  if (!std::exchange(math_tried_[tf32], true)) {
    try {
      math_[tf32] = make_accelerator_math(queue(), {.tf32 = tf32, .plan_folder = default_plan_folder()});
    } catch (const Error&) {  // kernels are timed all the same; what needs it says that it has none
    }
  }
  return math_[tf32].get();
}

void Machine::flush() {
  kernels::sum({.x = {cold_.get(), static_cast<size_t>(kColdFloats)}, .y = {sum_.get(), 1}}, queue());
}

Timing Machine::time(const std::function<void()>& f) {
  return sample(*accelerator_, f, [this](double host) {
    const int times = 1 + static_cast<int>(std::min<double>(kMostFlushes, 2 * host / kFastestFlush));
    for (int time = 0; time < times; ++time) flush();
  });
}

Timing time_on(Accelerator& device, const std::function<void()>& f) {
  return sample(device, f, [](double) {});
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
  if (rate >= 0) return rate;
  if (math(bound == Bound::tf32) == nullptr) return rate = 0;
  Context ctx(options_of(bound == Bound::tf32, DType::f32));
  const Ceilings c = measure_ceilings(ctx, kSmoke ? CeilingSizes{.copy_bytes = 1 << 10, .extent = 16} : CeilingSizes{});
  if (bound == Bound::tf32) return rate = c.f32;
  flop_rate_[static_cast<int>(Bound::f32)] = c.f32;  // one measurement for both
  flop_rate_[static_cast<int>(Bound::matrix)] = c.bf16;
  return rate;
}

Machine& machine() {
  if (!the_machine) the_machine = std::make_unique<Machine>();
  return *the_machine;
}

MachineScope::~MachineScope() { the_machine.reset(); }

Memory& host() {
  static HostMemory one;
  return one;
}

ContextOptions options_of(bool tf32, DType precision) {
  ContextOptions options;
  if (on_cpu()) {
    options.precision = precision;
    return options;
  }
  options.device = Device::cuda;
  options.index = choice().index;
  options.precision = precision;
  options.math = {.tf32 = tf32, .plan_folder = default_plan_folder()};
  return options;
}

std::string absent() {
  if (on_cpu()) return "";
  const DeviceChoice found = choice();
  return found.device == Device::cuda ? "" : "no CUDA device: " + found.reason;
}

std::vector<float> draws(int64_t count, test::Seed seed, float scale) {
  std::vector<float> values = test::normal(std::min(count, kDraws), seed, scale);
  values.reserve(static_cast<size_t>(count));
  for (int64_t i = kDraws; i < count; ++i) values.push_back(values[static_cast<size_t>(i - kDraws)]);
  return values;
}

test::HostMatrix<float> draws(int64_t rows, int64_t cols, test::Seed seed, float scale) {
  test::HostMatrix<float> m;
  m.rows = rows, m.cols = cols, m.values = draws(rows * cols, seed, scale);
  return m;
}

}  // namespace kith::bench
