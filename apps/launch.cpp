#include "apps/launch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <thread>

#include "apps/launcher.h"
#include "apps/signals.h"
#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "nn/device/ranks/mpi_ranks.h"
#include "nn/device/threads.h"
#include "scan/run/ranks.h"
#include "scan/run/reporter.h"

namespace kith {
namespace {

// The words of this command, program first.
std::vector<std::string> own_command() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size(); at = text.find('\0', at) + 1) words.emplace_back(text.c_str() + at);
  if (words.empty()) throw Error("--ranks: /proc/self/cmdline cannot be read");
  words.front() = std::filesystem::read_symlink("/proc/self/exe").string();
  return words;
}

[[noreturn]] void launch(int ranks, const std::filesystem::path& saved) {
  if (mpi_version().empty()) mpi_ranks();  // says what is missing
  const int processors = available_processors(), most = most_ranks(processors);
  if (ranks > most)
    throw Error(
        fmt::format("--ranks {}: {} may be used here; expected at most {} ranks (on more machines: "
                    "mpirun --hostfile)",
                    ranks, data::counted(processors, "processor"), most));
  std::vector<std::string> words = launch_words(mpi_launcher(), mpi_version(), ranks, ::geteuid() == 0);
  for (std::string& word : own_command()) words.push_back(std::move(word));
  if (std::getenv("GOMP_SPINCOUNT") == nullptr) ::setenv("OMP_WAIT_POLICY", "passive", 0);
  ::setenv("OMP_NUM_THREADS", std::to_string(threads_of_rank(available_processors(), ranks)).c_str(), 0);
  const LauncherEnd end = run_launcher(words);
  // Ranks that began to save while they were given up, or an earlier command, may have left something.
  if (std::error_code none; end.given_up)
    fmt::print(stderr, "kith: {}\n", std::filesystem::exists(saved, none) ? kStopped : kNothingSaved);
  if (end.status == 0 && stop_announced()) fmt::print(stderr, "kith: {}\n", kDoneBeforeStop);
  throw EndQuietly{end.status};
}

}  // namespace

std::vector<std::string> launch_words(const std::string& launcher, const std::string& version, int ranks,
                                      bool as_root) {
  std::vector<std::string> words = {std::filesystem::exists(launcher) ? launcher : "mpirun"};
  if (version.starts_with("Open MPI")) {
    if (as_root) words.emplace_back("--allow-run-as-root");
    if (version.starts_with("Open MPI 4.")) words.emplace_back("--quiet");  // 5 has no such option, and ends at it
    for (const char* word : {"--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"})
      words.emplace_back(word);
  }
  words.insert(words.end(), {"-np", std::to_string(ranks)});
  return words;
}

int most_ranks(int available) { return std::max(8, 4 * available); }

int threads_of_rank(int available, int here) { return std::max(available / std::max(here, 1), 1); }

int threads_of_rank(const Collective& ranks, int asked) {
  if (ranks.size() == 1 || asked != 0 || std::getenv("OMP_NUM_THREADS") != nullptr) return asked;
  return threads_of_rank(available_processors(), announced_ranks().value_or(Announced{}).here);
}

void expect_command_of_ranks(const std::vector<std::string>& arguments) {
  if (const std::optional<Announced> started = announced_without_mpi(); started && started->size > 1) {
    if (started->rank != 0) throw EndQuietly{1};
    throw Error(fmt::format(
        "the launcher started {0} processes by {1} and RANK, without MPI, by which ranks find each other: start "
        "them by mpirun -np {0}, or srun --mpi=pmix, or kith run --ranks {0}, and without these variables "
        "(bench/cluster/torchrun.sh)",
        started->size, started->variable));
  }
  const std::optional<Announced> announced = announced_ranks();
  if (!announced || announced->size == 1) return;
  const auto has = [&](const std::string& word) {
    return std::ranges::any_of(arguments, [&](const std::string& a) { return a == word || a.starts_with(word + "="); });
  };
  static const std::vector<std::string> kShared = {"run",       "pretext", "mine",    "cluster",
                                                   "selflabel", "refine",  "evaluate"};
  std::string what;
  if (arguments.empty() || std::ranges::find(kShared, arguments.front()) == kShared.end())
    what = arguments.empty() ? "" : " " + arguments.front();
  else
    for (const std::string option : {"--seeds", "--features", "--assignments", "--help", "-h"})
      if (has(option) && !(arguments.front() == "mine" && option == "--features"))
        what = " " + arguments.front() + " " + option;
  if (what.empty() && !arguments.empty()) return;
  if (announced->rank != 0) throw EndQuietly{1};
  throw Error(fmt::format("kith{} works as one process; the launcher started {} ({})", what, announced->size,
                          announced->variable));
}

std::shared_ptr<Collective> join_ranks(std::optional<int> wanted, const std::filesystem::path& saved) {
  const std::optional<Announced> announced = announced_ranks();
  if (announced) {
    if (wanted && *wanted != announced->size)
      throw Error(
          fmt::format("--ranks {}, but the launcher started {} ({})", *wanted, announced->size, announced->variable));
    if (announced->size > 1) return mpi_ranks();
  } else if (wanted.value_or(1) > 1) {
    if (started_by_kith())
      throw Error(fmt::format("--ranks {}: {} announces no ranks: it belongs to another MPI than {}", *wanted,
                              mpi_launcher(), mpi_version()));
    launch(*wanted, saved);
  }
  return one_rank();
}

std::vector<pid_t> processes_of(Collective& ranks) {
  struct Place {
    char machine[64];
    int64_t process;
  };
  std::vector<Place> all(static_cast<size_t>(ranks.size()));
  Place& own = all[static_cast<size_t>(ranks.rank())];
  ::gethostname(own.machine, sizeof(own.machine) - 1);
  own.process = ::getpid();
  ranks.all_gather(std::as_writable_bytes(std::span(all)), Queue{});
  std::vector<pid_t> out;
  for (const Place& p : all)
    out.push_back(std::strcmp(p.machine, own.machine) == 0 ? static_cast<pid_t>(p.process) : 0);
  return out;
}

int ranks_here(const Collective& ranks) {
  return ranks.size() == 1 ? 1 : announced_ranks().value_or(Announced{.here = ranks.size(), .variable = {}}).here;
}

void expect_device_of_ranks(const std::string& device, int ranks, int here, const DeviceList& list) {
  if (ranks == 1) return;
  const DeviceRequest wanted = parse_device(device);
  if (wanted.kind != DeviceRequest::Kind::cuda) return;
  if (wanted.index)
    throw Error(fmt::format("--device {}: several ranks take a card each, rank 0 cuda:0; expected cuda", device));
  const auto cards = static_cast<int>(list.devices.size());
  if (cards > 0 && cards < here)
    throw Error(fmt::format("--device cuda: {} ranks on this machine take a card each, it has {}; expected at most {}",
                            here, cards, data::counted(cards, "rank")));
}

std::string device_of_rank(const std::string& device, const Collective& ranks) {
  if (ranks.size() == 1) return device;
  if (parse_device(device).kind != DeviceRequest::Kind::cuda) return "cpu";
  return fmt::format("cuda:{}", announced_ranks().value_or(Announced{.place = ranks.rank(), .variable = {}}).place);
}

void as_rank(Collective& ranks, const std::function<void()>& f) {
  if (ranks.size() == 1) return f();
  try {
    f();
  } catch (const Interrupted&) {
    if (ranks.rank() == 0) throw;
    throw EndQuietly{0};
  } catch (const SaidByAnother&) {
    throw EndQuietly{0};
  } catch (const ErrorOfAll& e) {  // before MPI ends: a launcher that sees one end with an error stops the others
    fmt::print(stderr, "kith: error: {}\n", e.what());
    throw EndQuietly{1};
  } catch (const std::exception& e) {
    // Where all stop for one reason, such as a loss that is no number, the first says it, and ends the others before they do.
    if (ranks.rank() > 0) std::this_thread::sleep_for(std::chrono::seconds(2));
    fmt::print(stderr, "kith: error: rank {} of {}: {}\n", ranks.rank(), ranks.size(), e.what());
    std::fflush(stderr);
    abort_ranks(1);
    throw;
  }
}

}  // namespace kith
