// In which order the cells of a grid run, and what each takes over from another: no stage is run twice for results that are the
// same.
#pragma once
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "scan/ablate/grid.h"

namespace kith {

// How many of the stages pretext, mine, cluster, selflabel, refine, in this order, have the same results in runs of both: 0 to 5.
// Refinement counts where both have it.
int shared_stages(const RunConfig&, const RunConfig&);

enum class CellState : uint8_t {
  waiting,
  begun,  // as waiting, and its folder holds what an earlier command left of it: it continues by itself
  running,
  done,
  failed,
};

struct CellStart {
  size_t cell;
  std::optional<size_t> from;  // the cell whose finished stages it begins with
  int shared = 0;              // how many they are
};

// The first cell that can start now. One that shares stages with an earlier cell that is to be run waits for it, for
// the one that it shares most with. `has_pretext`: a failed cell still has its pretext to give. None: all have ended,
// or those that have not wait for running ones.
std::optional<CellStart> next_cell(const Grid&, const std::vector<CellState>&,
                                   const std::function<bool(size_t)>& has_pretext);

// The summary of the run in `dir`, or nothing where the run has not finished. Error: its configuration is not this one
// (someone has changed it by hand), or the summary cannot be read.
std::optional<nlohmann::json> finished_summary(const std::filesystem::path& dir, const RunConfig&);

// Whether all is there, and what the evaluation wrote whole, that a finished run of this summary left in `dir`; kith run makes again
// what is not (of the log and the times what is of the evaluation). Error: weights are other bytes than their stage wrote; rows or
// lists were cut.
bool results_stand(const std::filesystem::path& dir, const RunConfig&, const nlohmann::json& summary);

// The features of a finished pretext stage are there.
bool has_finished_pretext(const std::filesystem::path& dir);

}  // namespace kith
