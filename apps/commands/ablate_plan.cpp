#include "apps/commands/ablate_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "apps/commands/dry_run.h"
#include "apps/device.h"
#include "apps/found_images.h"
#include "apps/run_stage.h"
#include "data/dataset/digest.h"
#include "data/dataset/folder_parts.h"
#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "scan/preflight/preflight.h"
#include "scan/run/changed_results.h"
#include "scan/run/lost_records.h"
#include "scan/run/stage_records.h"
#include "scan/stages/outlook.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

// How many of the stages that cells share (shared_stages()) come before this one.
int shared_before(const std::string& stage) {
  constexpr std::array<const char*, 5> kShared = {"pretext", "mine", "cluster", "selflabel", "refine"};
  if (stage == "features") return 1;
  return static_cast<int>(std::ranges::find(kShared, stage) - kShared.begin());
}

class Planner {
 public:
  Planner(const AblateOptions& o, const Grid& grid, std::vector<CellState> states, int jobs)
      : o_(o), grid_(grid), states_(std::move(states)), jobs_(jobs) {}

  std::vector<PlannedCell> plan() {
    for (size_t c = 0; c < states_.size(); ++c)
      if (states_[c] == CellState::done) plan_.push_back({.cell = c, .done = true});
    const auto never = [](size_t) { return false; };
    while (const auto start = next_cell(grid_, states_, never)) {
      plan_.push_back({.cell = start->cell, .begun = states_[start->cell] == CellState::begun, .start = *start});
      states_[start->cell] = CellState::done;
    }
    check_all();
    return std::move(plan_);
  }

 private:
  const RunConfig& config(const PlannedCell& p) const { return grid_.cells[p.cell].config; }

  // One data set in memory at a time.
  void check_all() {
    std::set<size_t> checked;
    for (const PlannedCell& of : plan_) {
      if (checked.contains(of.cell)) continue;
      std::vector<PlannedCell*> alike;
      for (PlannedCell& p : plan_)
        if (same_data(config(p), config(of))) alike.push_back(&p), checked.insert(p.cell);
      const auto waiting = std::ranges::find(alike, false, &PlannedCell::done);
      const std::optional<data::Dataset> set = waiting != alike.end() ? load(**waiting) : if_there(of);
      if (!set) continue;
      const std::map<std::string, std::string> parts = data::parts_of(*set);
      for (PlannedCell* p : alike) {
        if (!p->done)
          check(*p, *set);
        else if (const std::string change = other_images(*p, parts); change.empty())
          continue;
        else if (waiting != alike.end())
          refuse(*p, change + ", so that its figures do not go with theirs; choose another --out, or move " +
                         folder(*p).string() + " away");
        else
          warn(*p, change + ", which its figures say nothing of");
      }
    }
  }

  std::filesystem::path folder(const PlannedCell& p) const {
    return std::filesystem::path(o_.out) / "cells" / grid_.cells[p.cell].folder;
  }

  // What has finished stands in one table with what is to run now. Empty: on the same images.
  std::string other_images(const PlannedCell& p, const std::map<std::string, std::string>& parts) const {
    const Origin::Values was = read_records(folder(p)).at("evaluate").origin.data;
    Origin before, now;
    for (const auto& [part, digest] : was)
      if (const auto at = parts.find(part); at != parts.end() && part != "class names" && part != "normalisation")
        before.data[part] = digest, now.data[part] = at->second;
    const OriginDifference d = difference(before, now);
    return d.any() ? fmt::format("finished on other images than those that are there now ({})", d.text()) : "";
  }

  static bool same_data(const RunConfig& a, const RunConfig& b) {
    return std::ranges::none_of(differences(a, b), [](const Difference& d) { return d.field.starts_with("data."); });
  }

  [[noreturn]] void refuse(const PlannedCell& p, const std::string& what) const {
    throw Error(fmt::format("{}: {}", grid_.name(grid_.cells[p.cell]), what));
  }

  // Of a path that is in none of the folders of apps/found_images.h.
  std::string looked_for(const std::string& spec) const {
    const std::filesystem::path path = data::path_of(spec);
    if (path.is_absolute() || holds_images(path) ||
        !std::filesystem::exists(std::filesystem::path(o_.out) / "grid.toml"))
      return "";
    return fmt::format("; a relative path is looked for in the current folder, and in those above {}", o_.out);
  }

  data::Dataset load(const PlannedCell& p) const {
    try {
      data::expect_no_parts(config(p).data.spec, config(p).data.classes_file);
      return load_data(config(p).data);
    } catch (const std::exception& e) {
      refuse(p, e.what() + looked_for(config(p).data.spec));
    }
  }

  // What has finished can be tabulated without its images.
  std::optional<data::Dataset> if_there(const PlannedCell& p) const {
    try {
      return load_data(config(p).data);
    } catch (const std::exception&) {
      return {};
    }
  }

  // Of one that begins with a cell that is not there yet, that cell's are taken for granted.
  std::vector<PlannedStage> stages_of(PlannedCell& p, const data::Dataset& set) const {
    const auto from = std::ranges::find_if(
        plan_, [&](const PlannedCell& other) { return other.done && p.start.from == std::optional(other.cell); });
    StageOptions run;
    run.out = folder(p).string();
    if (from != plan_.end()) run.from = folder(*from).string();
    std::vector<PlannedStage> stages;
    try {
      stages = startable_stages(run, config(p), set);
    } catch (const std::exception& e) {
      refuse(p, e.what());
    }
    if (from == plan_.end()) {
      for (PlannedStage& stage : stages) stage.done |= shared_before(stage.name) < p.start.shared;
    } else if (const auto first = std::ranges::find(stages, false, &PlannedStage::done); first != stages.end()) {
      p.start.shared = std::min(p.start.shared, shared_before(first->name));
    }
    return stages;
  }

  void check(PlannedCell& p, const data::Dataset& set) {
    RunConfig c = config(p);
    if (!context_) {
      if (o_.precision == "f32") c.precision = Precision::f32;
      if (o_.precision == "bf16") c.precision = Precision::bf16;
      context_ = open_context({.device = o_.device, .precision = c.precision, .options = {.threads = o_.threads}},
                              list_devices())
                     .context;
      rate_ = rate_of(*context_, c);
    }
    Resources free = free_resources(*context_, o_.out);
    const auto share = [](std::optional<int64_t>& bytes, int64_t among) {
      if (bytes) *bytes /= among;
    };
    share(free.host_bytes, jobs_), share(free.device_bytes, jobs_);
    share(free.disk_bytes, std::ranges::count(plan_, false, &PlannedCell::done));
    p.stages = stages_of(p, set);
    std::vector<std::string> stages;
    for (const PlannedStage& stage : p.stages) {
      if (stage.done) continue;
      stages.push_back(stage.name);
      p.seconds += work_of(stage.name, c, shape_of(set)).flops / rate_.flops;
    }
    const Preflight found = preflight(c, set, stages, free);
    for (const std::string& warning : found.warnings) warn(p, warning);
    if (!found.faults.empty()) refuse(p, found.faults.front());
  }

  void warn(const PlannedCell& p, const std::string& text) {
    if (warned_.insert(text).second)
      fmt::print(stderr, "kith: warning: {}: {}\n", grid_.name(grid_.cells[p.cell]), text);
  }

  const AblateOptions& o_;
  const Grid& grid_;
  std::vector<CellState> states_;
  int jobs_;
  std::vector<PlannedCell> plan_;
  std::unique_ptr<Context> context_;
  AssumedRate rate_;
  std::set<std::string> warned_;
};

// ", begun earlier, runs mine, evaluate (mine again: neighbours_test.npy is missing), at most"
std::string begun_text(const std::vector<PlannedStage>& stages) {
  const auto again = std::ranges::find_if(stages, [](const PlannedStage& s) { return !s.why.empty(); });
  return fmt::format(", begun earlier, runs {}{}, at most", to_run_text(stages),
                     again == stages.end() ? "" : fmt::format(" ({} again: {})", again->name, again->why));
}

}  // namespace

std::vector<std::string> doubts_about_cell(const std::filesystem::path& folder, const RunConfig& config,
                                           CellState state) {
  if (state == CellState::waiting) return {};
  const bool done = state == CellState::done;
  const Outlook next = outlook(folder);
  if (done && !next.refusal.empty()) throw Error(next.refusal);
  std::vector<std::string> out;
  if (done)
    out = doubts_about_files(folder, config, next);
  else if (std::string text = unrecorded_text(folder, config, unrecorded_stages(folder, config)); !text.empty())
    out.push_back(std::move(text));
  // Files of others that it was made from: where they were changed later, that is told.
  const std::string others = used_as_they_are(next.stages);
  if (!others.empty() && (!done || changed_inputs(folder).empty()))
    out.push_back(fmt::format("{}: {}", folder.string(), others));
  return out;
}

std::vector<PlannedCell> plan_cells(const AblateOptions& o, const Grid& grid, std::vector<CellState> states, int jobs) {
  return Planner(o, grid, std::move(states), jobs).plan();
}

std::string shared_text(int stages) {
  constexpr const char* kTexts[] = {"nothing",
                                    "the pretext",
                                    "pretext and neighbours",
                                    "all up to the clusters",
                                    "all up to self-labelling",
                                    "all but the evaluation"};
  return kTexts[std::clamp(stages, 0, 5)];
}

void print_plan(const Grid& grid, const std::vector<PlannedCell>& plan) {
  double seconds = 0;
  for (const PlannedCell& p : plan) {
    const GridCell& cell = grid.cells[p.cell];
    const std::string name = grid.name(cell);
    if (p.done) {
      fmt::print("{}: done earlier\n", name);
      continue;
    }
    const std::string how = p.begun        ? begun_text(p.stages)
                            : p.start.from ? fmt::format(", with {} of {}", shared_text(p.start.shared),
                                                         grid.name(grid.cells[*p.start.from]))
                                           : "";
    fmt::print("{}\n", wrapped_note(fmt::format("{}{}: {}", name, how, duration_text(p.seconds))));
    seconds += p.seconds;
  }
  const auto done = std::ranges::count(plan, true, &PlannedCell::done);
  fmt::print("\n{}\n", wrapped_note(fmt::format("{}, {}: {}, {} done earlier; about {} one at a time",
                                                data::counted(grid.settings.size(), "setting"),
                                                data::counted(grid.seeds.size(), "seed"),
                                                data::counted(plan.size(), "run"), done, duration_text(seconds))));
}

}  // namespace kith
