// Which device a run uses, from what the user asked for and what the machine has. Plain values in and out: the list of
// devices comes from the driver, or from a test.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/types.h"

namespace kith {

struct DeviceRequest {
  enum class Kind : uint8_t { automatic, cpu, cuda };
  Kind kind = Kind::automatic;
  std::optional<int> index;  // of cuda:N; without one the first device that kith runs on
  bool operator==(const DeviceRequest&) const = default;
};

DeviceRequest parse_device(std::string_view text);  // auto, cpu, cuda, cuda:N; Error otherwise

struct DeviceInfo {
  std::string name;
  int sm = 0;  // compute capability times ten
  int multiprocessors = 0;
  int64_t memory_bytes = 0;  // in all
};

// The devices and versions of the machine. Versions as CUDA numbers them: 13000 is 13.0.
struct DeviceList {
  bool built = false;  // whether this build has CUDA code at all
  int driver = 0;      // the newest CUDA that the driver serves; 0: no driver
  int runtime = 0;     // the CUDA that the program was built with
  std::vector<DeviceInfo> devices;
};

inline constexpr int kOldestSm = 80;

struct DeviceChoice {
  Device device = Device::cpu;
  int index = 0;
  std::string reason;  // for the log: "cuda:0, NVIDIA H100 (sm_90, 79.2 GiB)", "cpu", "no GPU: why"
};

// Error with one line that says what is missing and what to do. `auto` is never an error: it takes the CPU and says why.
DeviceChoice select_device(const DeviceRequest&, const DeviceList&);

}  // namespace kith
