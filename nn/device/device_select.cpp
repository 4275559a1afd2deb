#include "nn/device/device_select.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kernels/core/check.h"

namespace kith {
namespace {

std::string version(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

std::string line_of(int index, const DeviceInfo& d) {
  return fmt::format("cuda:{}, {} (sm_{}, {:.1f} GiB)", index, d.name, d.sm,
                     static_cast<double>(d.memory_bytes) / (1 << 30));
}

std::string capability(const DeviceInfo& d) { return fmt::format("{}.{}", d.sm / 10, d.sm % 10); }

// Why nothing at all can run on CUDA; both empty when something can.
struct Obstacle {
  std::string what, remedy = {};
  std::string whole() const { return remedy.empty() ? what : what + ": " + remedy; }
};

Obstacle obstacle(const DeviceList& list) {
  if (!list.built)
    return {"this build of kith has no CUDA code", "configure it with cmake --preset cuda where nvcc and cuDNN are"};
  if (list.driver == 0)
    return {"no NVIDIA driver answers", "install it, or make the card visible to this machine or container"};
  // Within one major version the driver may be the older one.
  if (list.driver / 1000 < list.runtime / 1000)
    return {fmt::format("the NVIDIA driver serves CUDA {}, kith was built with {}", version(list.driver),
                        version(list.runtime)),
            "update the driver"};
  if (list.devices.empty()) return {"the NVIDIA driver finds no card", "see nvidia-smi and CUDA_VISIBLE_DEVICES"};
  return {};
}

std::string too_old(int index, const DeviceInfo& d) {
  return fmt::format("cuda:{} is {} of compute capability {}, kith needs {}.{} or newer (Ampere)", index, d.name,
                     capability(d), kOldestSm / 10, kOldestSm % 10);
}

DeviceChoice take(int index, const DeviceInfo& d) {
  return {.device = Device::cuda, .index = index, .reason = line_of(index, d)};
}

DeviceChoice select_index(int index, const std::vector<DeviceInfo>& devices) {
  const auto count = static_cast<int>(devices.size());
  if (index >= count)
    throw Error(fmt::format("--device cuda:{}: this machine has {}", index,
                            count == 1 ? "only cuda:0" : fmt::format("cuda:0 to cuda:{}", count - 1)));
  const DeviceInfo& d = devices[static_cast<size_t>(index)];
  if (d.sm < kOldestSm) throw Error(fmt::format("--device cuda:{0}: {1}", index, too_old(index, d)));
  return take(index, d);
}

}  // namespace

DeviceRequest parse_device(std::string_view text) {
  using Kind = DeviceRequest::Kind;
  if (text == "auto") return {};
  if (text == "cpu") return {.kind = Kind::cpu, .index = {}};
  if (text == "cuda") return {.kind = Kind::cuda, .index = {}};
  constexpr std::string_view prefix = "cuda:";
  if (text.starts_with(prefix)) {
    const std::string_view digits = text.substr(prefix.size());
    int index = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (error == std::errc() && end == digits.data() + digits.size() && index >= 0 && digits[0] != '-')
      return {.kind = Kind::cuda, .index = index};
  }
  throw Error(fmt::format("--device {}: auto, cpu, cuda or cuda:N expected", text));
}

DeviceChoice select_device(const DeviceRequest& request, const DeviceList& list) {
  using Kind = DeviceRequest::Kind;
  if (request.kind == Kind::cpu) return {.device = Device::cpu, .index = 0, .reason = "cpu"};
  Obstacle why = obstacle(list);
  if (why.what.empty()) {
    if (request.index) return select_index(*request.index, list.devices);
    const auto found = std::ranges::find_if(list.devices, [](const DeviceInfo& d) { return d.sm >= kOldestSm; });
    if (found != list.devices.end()) return take(static_cast<int>(found - list.devices.begin()), *found);
    why = {too_old(0, list.devices[0])};
  }
  if (request.kind == Kind::automatic) return {.device = Device::cpu, .index = 0, .reason = "no GPU: " + why.what};
  throw Error(fmt::format("--device cuda{}: {}", request.index ? fmt::format(":{}", *request.index) : "", why.whole()));
}

}  // namespace kith
