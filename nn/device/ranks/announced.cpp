#include <charconv>
#include <cstdlib>
#include <string_view>

#include "nn/device/ranks/mpi_ranks.h"

namespace kith {
namespace {

// A whole number of at least `least`.
std::optional<int> number_in(const char* variable, int least) {
  const char* value = std::getenv(variable);
  if (value == nullptr) return {};
  const std::string_view text = value;
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least) return {};
  return number;
}

struct Variables {
  const char *size, *rank, *here, *place;
};
constexpr Variables kLaunchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"},
    {"PMI_SIZE", "PMI_RANK", "MPI_LOCALNRANKS", "MPI_LOCALRANKID"},
    {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_TASKS_PER_NODE", "SLURM_LOCALID"}};

}  // namespace

std::optional<Announced> announced_ranks() {
  for (const Variables& v : kLaunchers)
    if (const std::optional<int> size = number_in(v.size, 1)) {
      const int rank = number_in(v.rank, 0).value_or(0);
      return Announced{.rank = rank,
                       .size = *size,
                       .here = number_in(v.here, 1).value_or(*size),
                       .place = number_in(v.place, 0).value_or(rank),
                       .variable = v.size};
    }
  return {};
}

std::optional<Announced> announced_without_mpi() {
  constexpr const char* kSize = "WORLD_SIZE";
  const std::optional<int> size = number_in(kSize, 1), rank = number_in("RANK", 0);
  if (announced_ranks() || !size || !rank) return {};
  return Announced{.rank = *rank,
                   .size = *size,
                   .here = number_in("LOCAL_WORLD_SIZE", 1).value_or(*size),
                   .place = *rank,
                   .variable = kSize};
}

}  // namespace kith
