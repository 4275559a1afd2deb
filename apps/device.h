// From --device, --precision and --threads to the Context that a command works in.
#pragma once
#include <memory>
#include <string>

#include "nn/device/device_select.h"
#include "nn/tensor/context.h"
#include "scan/config/config.h"

namespace kith {

struct ContextRequest {
  std::string device = "auto";  // as parse_device reads it
  Precision precision = Precision::automatic;
  ContextOptions options = {};  // but device, index and precision, which are found here
};

struct OpenedContext {
  std::unique_ptr<Context> context;
  std::string line;     // for the log: what computes, how, and why no GPU where none was taken
  std::string warning;  // set where a GPU was found but could not be opened; else empty
};

// Error, one line: a device asked for by name is not available. `auto` falls back to the CPU and says why.
OpenedContext open_context(const ContextRequest&, const DeviceList&);

// automatic: bf16 on CUDA and on a processor that multiplies it (AVX512_BF16 or AMX), where a step takes 0.6 to 0.85 of f32's time;
// else f32. Error for bf16 by name on a processor that does not.
DType resolve_precision(Precision, Device, bool cpu_bf16 = cpu_multiplies_bf16());

}  // namespace kith
