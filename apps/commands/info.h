// kith info: what this program was built from and what of this machine it uses, and why not the rest.
#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "nn/device/device_select.h"
#include "nn/device/threads.h"

namespace kith {

struct Machine {
  std::string version, compiler;  // of kith
  std::string processor;
  int threads = 0;
  ThreadWait wait;
  std::string onednn;
  bool bf16 = false;          // multiplied by the processor
  std::string mpi, launcher;  // of ranks that are processes; empty: this build has none
  DeviceList cuda;
  std::string libraries;  // of the device
  std::string missing;    // why libraries is empty; one line
  std::string nccl;       // of ranks on cards, or why there is none
  std::filesystem::path plans;
};
Machine this_machine(const ThreadWait&);

std::string to_text(const Machine&);
nlohmann::json to_json(const Machine&);

void add_info_command(CLI::App& app, const ThreadWait&);

}  // namespace kith
