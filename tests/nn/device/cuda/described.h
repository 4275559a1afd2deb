// Devices as cuDNN's DEVICEPROP descriptor describes them in JSON, and the convolutions of ResNet-18: what plans can be made
// for without a GPU.
#pragma once
#include <fmt/format.h>

#include <string>
#include <vector>

#include "nn/device/conv_shape.h"
#include "nn/device/cudnn/descriptor.h"

namespace kith::test {

struct Described {
  const char* name;
  int sm, processors, shared_bytes, l2_bytes, clock_khz, memory_khz;
};
// From NVIDIA's data sheets and the tables of the CUDA programming guide.
inline constexpr Described kDevices[] = {
    {.name = "A100 80GB",
     .sm = 80,
     .processors = 108,
     .shared_bytes = 163 << 10,
     .l2_bytes = 40 << 20,
     .clock_khz = 1410000,
     .memory_khz = 1593000},
    {.name = "H100 80GB",
     .sm = 90,
     .processors = 132,
     .shared_bytes = 227 << 10,
     .l2_bytes = 50 << 20,
     .clock_khz = 1980000,
     .memory_khz = 2619000},
};

inline Descriptor describe(const Described& d) {
  const std::string json = fmt::format(
      R"({{"deviceName": "{}", "deviceVer": {}, "multiProcessorCount": {}, "maxSharedMemoryPerBlockOptin": {},
 "l2CacheSize": {}, "smClockRateKHz": {}, "memClockRateKHz": {}, "driverVer": 13000, "cudaDeviceId": 0, "pciDeviceId": 0,
 "isTccDriver": 0, "supportCoopLaunch": 1, "memoryBusWidth": 5120, "totalGlobalMem": 85899345920, "warpSize": 32,
 "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536,
 "maxRegistersPerSM": 65536, "maxSharedMemoryPerBlock": 49152, "reservedSharedMemoryPerBlock": 1024, "maxCtasPerSM": 32,
 "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048}})",
      d.name, d.sm * 10, d.processors, d.shared_bytes, d.l2_bytes, d.clock_khz, d.memory_khz);
  Descriptor properties(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, static_cast<int64_t>(json.size()),
                 json.data());
  properties.finalize(fmt::format("description of {}", d.name));
  return properties;
}

// Each convolution of ResNet-18 with the CIFAR stem once (nn/model/resnet.cpp).
inline std::vector<ConvShape> resnet18_shapes(int64_t images, int64_t side, int64_t width) {
  std::vector<ConvShape> shapes{{images, side, side, 3, width, 3, 1, 1}, {images, side, side, width, width, 3, 1, 1}};
  for (int64_t in = width, s = side; in < 8 * width; in *= 2, s /= 2) {
    shapes.push_back({images, s, s, in, 2 * in, 3, 2, 1});
    shapes.push_back({images, s, s, in, 2 * in, 1, 2, 0});
    shapes.push_back({images, s / 2, s / 2, 2 * in, 2 * in, 3, 1, 1});
  }
  return shapes;
}

}  // namespace kith::test
