#include "apps/commands/info.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/device/dense_math.h"
#include "nn/device/plans/plan_store.h"
#include "nn/device/ranks/mpi_ranks.h"
#include "nn/device/ranks/nccl_library.h"
#include "nn/tensor/context.h"
#include "scan/run/made.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

std::string cuda_version(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

std::string driver_text(const DeviceList& list) {
  if (!list.built) return "not in this build";
  return fmt::format(
      "built with {}, {}", cuda_version(list.runtime),
      list.driver == 0 ? "no driver answers" : fmt::format("the driver serves {}", cuda_version(list.driver)));
}

// Why a card is not used when it is asked for, by its number or without; empty when it is.
std::string refusal(const DeviceList& list, std::optional<int> index) {
  try {
    select_device({.kind = DeviceRequest::Kind::cuda, .index = index}, list);
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

// With what would put a card to use, where none is.
std::string automatic_choice(const DeviceList& list) {
  const DeviceChoice choice = select_device({}, list);
  if (choice.device == Device::cuda) return choice.reason;
  const std::string refused = refusal(list, {});
  return "the CPU; no GPU: " + refused.substr(refused.find(": ") + 2);
}

std::string plans_text(const Machine& m) {
  return m.plans.empty() ? "in memory only: KITH_CACHE and HOME are not set" : m.plans.string();
}

}  // namespace

Machine this_machine(const ThreadWait& wait) {
  Machine m{.version = KITH_VERSION,
            .compiler = "g++ " __VERSION__,
            .processor = processor_name(),
            .threads = Context().threads(),
            .wait = wait,
            .onednn = onednn_version(),
            .bf16 = cpu_multiplies_bf16(),
            .mpi = mpi_version(),
            .launcher = mpi_launcher(),
            .cuda = list_devices(),
            .libraries = {},
            .missing = {},
            .nccl = {},
            .plans = default_plan_folder()};
  try {
    m.libraries = accelerator_libraries();
  } catch (const Error& e) {
    m.missing = e.what();
  }
  if (!m.cuda.built) return m;
  try {
    m.nccl = fmt::format("NCCL {}, for ranks on cards", nccl().version());
  } catch (const Error& e) {
    m.nccl = fmt::format("no NCCL, for ranks on cards: {}", e.what());
  }
  return m;
}

std::string to_text(const Machine& m) {
  std::string out = fmt::format("kith {}, {}\n\n", m.version, m.compiler);
  const auto row = [&](const char* name, const std::string& text) { out += fmt::format("{:<12}{}\n", name, text); };
  row("processor", fmt::format("{}, {}", m.processor, data::counted(m.threads, "thread")));
  row("", "waiting threads: " + to_string(m.wait));
  row("", "oneDNN " + m.onednn);
  row("",
      m.bf16 ? "bf16 is multiplied: --precision auto takes it" : "bf16 is not multiplied: --precision auto takes f32");
  row("ranks", m.mpi.empty() ? "one: no MPI in this build (KITH_MPI)" : fmt::format("{}, {}", m.mpi, m.launcher));
  row("CUDA", driver_text(m.cuda));
  for (size_t i = 0; i < m.cuda.devices.size(); ++i) {
    const DeviceInfo& d = m.cuda.devices[i];
    row("", fmt::format("cuda:{}, {} (sm_{}, {:.1f} GiB)", i, d.name, d.sm,
                        static_cast<double>(d.memory_bytes) / (1 << 30)));
    if (const std::string why = refusal(m.cuda, static_cast<int>(i)); !why.empty()) row("", "  " + why);
  }
  if (m.cuda.built) {
    row("", m.libraries.empty() ? m.missing : m.libraries);
    row("", m.nccl);
    row("plans", plans_text(m));
  }
  return wrapped_columns(out + fmt::format("\n--device auto takes {}\n", automatic_choice(m.cuda)));
}

nlohmann::json to_json(const Machine& m) {
  nlohmann::json devices = nlohmann::json::array();
  for (size_t i = 0; i < m.cuda.devices.size(); ++i) {
    const DeviceInfo& d = m.cuda.devices[i];
    devices.push_back({{"name", d.name},
                       {"sm", d.sm},
                       {"memory_bytes", d.memory_bytes},
                       {"refusal", refusal(m.cuda, static_cast<int>(i))}});
  }
  return {{"version", m.version},
          {"compiler", m.compiler},
          {"processor", m.processor},
          {"threads", m.threads},
          {"wait", {{"policy", m.wait.policy}, {"spins", m.wait.spins}, {"chosen", m.wait.chosen}}},
          {"onednn", m.onednn},
          {"bf16", m.bf16},
          {"mpi", m.mpi},
          {"launcher", m.launcher},
          {"cuda", {{"built", m.cuda.built}, {"runtime", m.cuda.runtime}, {"driver", m.cuda.driver}}},
          {"devices", devices},
          {"libraries", m.libraries},
          {"missing", m.missing},
          {"nccl", m.nccl},
          {"plans", m.plans.string()},
          {"automatic", automatic_choice(m.cuda)}};
}

void add_info_command(CLI::App& app, const ThreadWait& wait) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("info", "Devices, libraries and versions, and why a device is not used");
  command->add_flag("--json", *json, "Print them as JSON");
  command->callback([json, wait] {
    const Machine m = this_machine(wait);
    fmt::print("{}", *json ? to_json(m).dump(2) + "\n" : to_text(m));
  });
}

}  // namespace kith
