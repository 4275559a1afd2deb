#include "apps/plan.h"

#include <fmt/format.h>

#include "apps/device.h"
#include "apps/session.h"
#include "nn/accelerator.h"
#include "scan/estimate.h"

namespace kith {
namespace {

std::string amount(double x) {
  for (const auto& [size, unit] : {std::pair{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
    if (x >= size) return fmt::format("{:.1f} {}", x / size, unit);
  return fmt::format("{:.0f} ", x);
}

Device device_of(const DeviceRequest& request) {
  if (request.kind == DeviceRequest::Kind::automatic) return select_device(request, list_devices()).device;
  return request.kind == DeviceRequest::Kind::cpu ? Device::cpu : Device::cuda;
}

}  // namespace

void print_plan(RunConfig config, const DeviceRequest& request) {
  const Device device = device_of(request);
  const DType precision = resolve_precision(config.precision, device);
  config.precision = precision == DType::bf16 ? Precision::bf16 : Precision::f32;
  fmt::print("{}", to_toml(config));
  if (config.data.spec.empty()) return;
  const DataShape shape = shape_of(load_data(config.data));
  fmt::print("\n# {} train and {} test images, {} x {} x {}; {}FLOP per image forward\n", shape.train, shape.test,
             shape.height, shape.width, shape.channels,
             amount(backbone_flops(config.model, shape.height, shape.width, shape.channels)));
  const AssumedRate rate = assumed_rate(device, precision, config.tf32);
  double flops = 0, views = 0;
  for (const StageEstimate& e : estimate(config, shape)) {
    fmt::print("# {:<10} {:>8} steps {:>9}views {:>9}FLOP {:>9.1f} minutes\n", e.stage, e.steps, amount(e.views),
               amount(e.flops), e.flops / rate.flops / 60);
    flops += e.flops, views += e.views;
  }
  fmt::print("# {:<10} {:>24}views {:>9}FLOP {:>9.1f} minutes at {}FLOP/s: {}\n", "total", amount(views), amount(flops),
             flops / rate.flops / 60, amount(rate.flops), rate.source);
}

}  // namespace kith
