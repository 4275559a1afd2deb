#include "nn/device/device_select.h"

#include <gtest/gtest.h>

#include "kernels/core/check.h"
#include "tests/support/error_of.h"

namespace kith {
namespace {

using Kind = DeviceRequest::Kind;

DeviceList machine(std::vector<DeviceInfo> devices) {
  return {.built = true, .driver = 13000, .runtime = 13000, .devices = std::move(devices)};
}

const DeviceInfo kH100{.name = "NVIDIA H100", .sm = 90, .memory_bytes = int64_t{80} << 30};
const DeviceInfo kA100{.name = "NVIDIA A100", .sm = 80, .memory_bytes = int64_t{40} << 30};
const DeviceInfo kT4{.name = "Tesla T4", .sm = 75, .memory_bytes = int64_t{15} << 30};

std::string refusal(std::string_view device, const DeviceList& list) {
  return test::error_of([&] { select_device(parse_device(device), list); });
}

TEST(device_select, requests_are_parsed) {
  EXPECT_EQ(parse_device("auto"), (DeviceRequest{.kind = Kind::automatic, .index = {}}));
  EXPECT_EQ(parse_device("cpu"), (DeviceRequest{.kind = Kind::cpu, .index = {}}));
  EXPECT_EQ(parse_device("cuda"), (DeviceRequest{.kind = Kind::cuda, .index = {}}));
  EXPECT_EQ(parse_device("cuda:0"), (DeviceRequest{.kind = Kind::cuda, .index = 0}));
  EXPECT_EQ(parse_device("cuda:12"), (DeviceRequest{.kind = Kind::cuda, .index = 12}));
  for (const char* wrong :
       {"", "gpu", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cuda:-0", "cuda:+1", "cuda:99999999999", "CPU", "cuda 0"})
    EXPECT_EQ(test::error_of([&] { parse_device(wrong); }),
              std::string("--device ") + wrong + ": auto, cpu, cuda or cuda:N expected");
}

TEST(device_select, the_first_card_that_kith_runs_on) {
  for (const char* request : {"auto", "cuda"}) {
    const DeviceChoice choice = select_device(parse_device(request), machine({kT4, kA100, kH100}));
    EXPECT_EQ(choice.device, Device::cuda);
    EXPECT_EQ(choice.index, 1);
    EXPECT_EQ(choice.reason, "cuda:1, NVIDIA A100 (sm_80, 40.0 GiB)");
  }
  EXPECT_EQ(select_device(parse_device("cuda:2"), machine({kT4, kA100, kH100})).index, 2);
}

TEST(device_select, the_cpu_is_taken_where_it_is_asked_for) {
  const DeviceChoice choice = select_device(parse_device("cpu"), machine({kH100}));
  EXPECT_EQ(choice.device, Device::cpu);
  EXPECT_EQ(choice.reason, "cpu");
}

// Every obstacle: an error for cuda and cuda:N, a reason to take the CPU for auto.
TEST(device_select, each_obstacle_has_its_line) {
  DeviceList old_driver = machine({kH100});
  old_driver.driver = 12080;
  const std::pair<DeviceList, std::string> obstacles[] = {
      {{}, "this build of kith has no CUDA code: configure it with cmake --preset cuda where nvcc and cuDNN are"},
      {{.built = true, .driver = 0, .runtime = 13000, .devices = {}},
       "no NVIDIA driver answers: install it, or make the card visible to this machine or container"},
      {old_driver, "the NVIDIA driver serves CUDA 12.8, kith was built with 13.0: update the driver"},
      {machine({}), "the NVIDIA driver finds no card: see nvidia-smi and CUDA_VISIBLE_DEVICES"},
      {machine({kT4}), "cuda:0 is Tesla T4 of compute capability 7.5, kith needs 8.0 or newer (Ampere)"},
  };
  for (const auto& [list, why] : obstacles) {
    EXPECT_EQ(refusal("cuda", list), "--device cuda: " + why);
    EXPECT_EQ(refusal("cuda:0", list), "--device cuda:0: " + why);
    const DeviceChoice choice = select_device(parse_device("auto"), list);
    EXPECT_EQ(choice.device, Device::cpu);
    EXPECT_EQ(choice.reason, "no GPU: " + why.substr(0, why.find(": ")));  // without a remedy
    EXPECT_EQ(select_device(parse_device("cpu"), list).reason, "cpu");
  }
}

TEST(device_select, an_index_that_is_not_there) {
  EXPECT_EQ(refusal("cuda:1", machine({kH100})), "--device cuda:1: this machine has only cuda:0");
  EXPECT_EQ(refusal("cuda:2", machine({kH100, kA100})), "--device cuda:2: this machine has cuda:0 to cuda:1");
  EXPECT_EQ(refusal("cuda:0", machine({kT4, kA100})),
            "--device cuda:0: cuda:0 is Tesla T4 of compute capability 7.5, kith needs 8.0 or newer (Ampere)");
}

TEST(device_select, a_driver_may_be_older_within_its_major_version) {
  DeviceList list = machine({kH100});
  list.runtime = 13020;
  EXPECT_EQ(select_device({}, list).device, Device::cuda);
  list.driver = 14000;
  EXPECT_EQ(select_device({}, list).device, Device::cuda);
}

}  // namespace
}  // namespace kith
