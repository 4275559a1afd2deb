#include "apps/device.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith {
namespace {

OpenedContext open(const ContextRequest& request, const DeviceChoice& choice) {
  ContextOptions options = request.options;
  options.device = choice.device;
  options.index = choice.index;
  options.precision = resolve_precision(request.precision, choice.device);
  auto context = std::make_unique<Context>(options);
  std::string line = context->describe();
  if (choice.device == Device::cuda) line = fmt::format("cuda:{}, {}", choice.index, line);
  return {.context = std::move(context), .line = std::move(line), .warning = {}};
}

}  // namespace

DType resolve_precision(Precision precision, Device device, bool cpu_bf16) {
  const bool multiplied = device != Device::cpu || cpu_bf16;
  if (precision == Precision::bf16 && !multiplied)
    throw Error(
        "precision bf16 needs a CUDA device or a processor with AVX512_BF16 or AMX, and this would run on a processor "
        "without; --precision f32 runs here, and continues a run that was begun in bf16");
  return precision != Precision::f32 && multiplied ? DType::bf16 : DType::f32;
}

OpenedContext open_context(const ContextRequest& request, const DeviceList& list) {
  const DeviceRequest wanted = parse_device(request.device);
  const bool automatic = wanted.kind == DeviceRequest::Kind::automatic;
  const DeviceChoice choice = select_device(wanted, list);
  const DeviceChoice cpu{.device = Device::cpu, .index = 0, .reason = {}};
  OpenedContext opened;
  if (choice.device == Device::cpu) {
    opened = open(request, cpu);
    if (automatic) opened.line += "; " + choice.reason;
    if (request.options.math.tf32) opened.line += "; TF32 is not for the CPU";
    return opened;
  }
  if (!automatic) return open(request, choice);
  std::string why;
  try {
    return open(request, choice);
  } catch (const Error& e) {  // a card without cuDNN, or one that is full
    why = e.what();
  }
  opened = open(request, cpu);
  opened.warning = fmt::format("{} is there but cannot be used, the CPU is taken: {}", choice.reason, why);
  return opened;
}

}  // namespace kith
