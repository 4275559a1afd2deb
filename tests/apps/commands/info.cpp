// kith info on machines made of plain values.
#include "apps/commands/info.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/apps/terminal.h"

namespace kith {
namespace {

Machine with_cards() {
  return {.version = "1.2.3",
          .compiler = "g++ 12",
          .processor = "A processor",
          .threads = 16,
          .wait = {.policy = "", .spins = "1000", .chosen = false},
          .onednn = "2.6.3",
          .bf16 = true,
          .mpi = "Open MPI 4.1.4",
          .launcher = "/usr/bin/mpirun",
          .cuda = {.built = true,
                   .driver = 13000,
                   .runtime = 13000,
                   .devices = {{.name = "Tesla T4", .sm = 75, .memory_bytes = int64_t{15} << 30},
                               {.name = "NVIDIA H100", .sm = 90, .memory_bytes = int64_t{80} << 30}}},
          .libraries = "cuDNN 9.28.1, cuBLASLt 13.1.0",
          .missing = {},
          .nccl = "NCCL 2.32.3, for ranks on cards",
          .plans = "/home/me/.cache/kith"};
}

TEST(Info, NamesEveryDeviceAndWhyOneIsNotUsed) {
  EXPECT_EQ(to_text(with_cards()),
            "kith 1.2.3, g++ 12\n"
            "\n"
            "processor   A processor, 16 threads\n"
            "            waiting threads: spin 1000 times, then sleep\n"
            "            oneDNN 2.6.3\n"
            "            bf16 is multiplied: --precision auto takes it\n"
            "ranks       Open MPI 4.1.4, /usr/bin/mpirun\n"
            "CUDA        built with 13.0, the driver serves 13.0\n"
            "            cuda:0, Tesla T4 (sm_75, 15.0 GiB)\n"
            "              --device cuda:0: cuda:0 is Tesla T4 of compute capability 7.5,\n"
            "                kith needs 8.0 or newer (Ampere)\n"
            "            cuda:1, NVIDIA H100 (sm_90, 80.0 GiB)\n"
            "            cuDNN 9.28.1, cuBLASLt 13.1.0\n"
            "            NCCL 2.32.3, for ranks on cards\n"
            "plans       /home/me/.cache/kith\n"
            "\n"
            "--device auto takes cuda:1, NVIDIA H100 (sm_90, 80.0 GiB)\n");
}

TEST(Info, WithoutLibrariesOrDriver) {
  Machine m = with_cards();
  m.mpi.clear();
  m.cuda.driver = 0;
  m.cuda.devices.clear();
  m.libraries.clear();
  m.missing = "libcudnn.so.9 cannot be loaded";
  m.plans.clear();
  const std::string text = to_text(m);
  EXPECT_NE(text.find("ranks       one: no MPI in this build (KITH_MPI)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("CUDA        built with 13.0, no driver answers\n"), std::string::npos) << text;
  EXPECT_NE(text.find("            libcudnn.so.9 cannot be loaded\n"), std::string::npos) << text;
  EXPECT_NE(text.find("plans       in memory only: KITH_CACHE and HOME are not set\n"), std::string::npos) << text;
  EXPECT_EQ(test::too_wide(text), "");
  EXPECT_TRUE(test::unwrapped(text).ends_with(
      "--device auto takes the CPU; no GPU: no NVIDIA driver answers: install it, or make the card visible to this "
      "machine or container\n"))
      << text;
}

TEST(Info, WithoutCudaNothingIsSaidOfItsLibraries) {
  Machine m = with_cards();
  m.cuda = {};
  const std::string text = to_text(m);
  EXPECT_NE(text.find("CUDA        not in this build\n"), std::string::npos) << text;
  EXPECT_EQ(test::too_wide(text), "");
  EXPECT_TRUE(test::unwrapped(text).ends_with(
      "--device auto takes the CPU; no GPU: this build of kith has no CUDA code: configure it with cmake --preset cuda "
      "where nvcc and cuDNN are\n"))
      << text;
  EXPECT_EQ(text.find("cuDNN 9"), std::string::npos) << text;
  EXPECT_EQ(text.find("NCCL"), std::string::npos) << text;
  EXPECT_EQ(text.find("plans"), std::string::npos) << text;
}

TEST(Info, JsonHoldsTheSame) {
  const nlohmann::json j = to_json(with_cards());
  EXPECT_EQ(j.at("devices").size(), 2u);
  EXPECT_NE(j.at("devices")[0].at("refusal"), "");
  EXPECT_EQ(j.at("devices")[1].at("refusal"), "");
  EXPECT_EQ(j.at("automatic"), "cuda:1, NVIDIA H100 (sm_90, 80.0 GiB)");
  EXPECT_EQ(j.at("cuda").at("runtime"), 13000);
  EXPECT_EQ(j.at("nccl"), "NCCL 2.32.3, for ranks on cards");
}

}  // namespace
}  // namespace kith
