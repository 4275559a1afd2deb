#include "apps/commands/ablate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/children.h"
#include "apps/commands/ablate_plan.h"
#include "apps/commands/stage_options.h"
#include "apps/found_images.h"
#include "apps/given_command.h"
#include "apps/new_folder.h"
#include "apps/number_options.h"
#include "apps/output_folder.h"
#include "apps/signals.h"
#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "nn/device/threads.h"
#include "scan/ablate/folders.h"
#include "scan/ablate/grid_copy.h"
#include "scan/ablate/page.h"
#include "scan/ablate/plan.h"
#include "scan/ablate/results.h"
#include "scan/config/config_fields.h"
#include "scan/run/changed_results.h"
#include "scan/run/own_folder.h"
#include "scan/run/reporter.h"
#include "scan/text/first_few.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Ablation {
 public:
  Ablation(const AblateOptions& o, Grid grid)
      : o_(o),
        grid_(std::move(grid)),
        cells_(fs::path(o.out) / "cells"),
        states_(grid_.cells.size(), CellState::waiting),
        summaries_(grid_.cells.size()) {
    const int threads = o.threads > 0 ? o.threads : available_processors();
    jobs_ = std::clamp(o.jobs, 1, threads);
    threads_ = threads / jobs_;
    if (jobs_ < o.jobs)
      note(fmt::format("--jobs {}: {}, {} at a time", o.jobs, data::counted(threads, "thread"),
                       data::counted(jobs_, "run")));
    keep_folders(grid_, cells_);
    for (const std::string& line : find_images(grid_, o.out)) note(line);
    look();
  }

  const Grid& grid() const { return grid_; }
  const std::vector<CellState>& states() const { return states_; }
  int jobs() const { return jobs_; }
  fs::path folder(size_t cell) const { return cells_ / grid_.cells[cell].folder; }

  void run() {
    std::error_code failed;
    fs::create_directories(cells_, failed);
    if (failed) throw Error(fmt::format("{}: cannot create: {}", o_.out, failed.message()));
    const FolderLock lock(cells_);
    const std::string copy = copy_of_grid(grid_.text);
    data::write_file(fs::path(o_.out) / "grid.toml", {data::as_bytes(copy)});
    const auto has_pretext = [&](size_t cell) { return has_finished_pretext(folder(cell)); };
    Children children;
    while (true) {
      if (stop_signal() != 0) children.stop();
      while (stop_signal() == 0 && static_cast<int>(children.running()) < jobs_) {
        const std::optional<CellStart> start = next_cell(grid_, states_, has_pretext);
        if (!start) break;
        begin(children, *start);
      }
      if (children.running() == 0) break;
      if (const auto ended = children.wait(200)) end(ended->id, ended->status);
    }
    write_results();
    if (stop_signal() != 0) throw Interrupted{};
    fmt::print("\n{}\n  {}\n", to_text(grid_, collected()), (fs::path(o_.out) / "report.html").string());
    if (!failed_.empty()) throw failures();
  }

 private:
  void note(const std::string& text) const {
    if (!o_.quiet) fmt::print(stderr, "{}\n", wrapped_note(text));
  }

  static void warn(const std::string& text) { fmt::print(stderr, "kith: warning: {}\n", text); }

  // Also on the page.
  void tell(const std::string& doubt) {
    if (doubt.empty()) return;
    warn(doubt);
    changed_.push_back(doubt);
  }

  // What a command leaves that was killed before its grid.toml stood there.
  static bool is_beginning(const fs::path& file) {
    return file.filename() == "grid.toml.partial" ||
           (file.filename() == "cells" && fs::is_directory(file) && fs::is_empty(file));
  }

  // Without its grid.toml it is told by its runs, whose folders have names of all that decides their results.
  void expect_own_or_empty() const {
    if (!holds_cells(grid_, cells_)) return expect_nothing_else(o_.out, is_beginning);
    warn(o_.out + ": grid.toml is missing, which held the settings and seeds of the runs there; it is written anew");
  }

  // What earlier commands left.
  void look() {
    const fs::path out = o_.out;
    if (fs::exists(out) && !fs::is_directory(out)) throw Error(o_.out + ": --out is a file, expected a directory");
    expect_outside_runs("--out", o_.out);
    for (const GridCell& cell : grid_.cells) expect_outside_data("--out", o_.out, cell.config.data.spec);
    if (!fs::exists(out / "grid.toml")) expect_own_or_empty();
    expect_writable_files(out, {"grid.toml", "table.csv", "table.md", "report.html"});
    expect_descriptions(grid_, cells_);
    for (size_t c = 0; c < states_.size(); ++c) {
      if (auto summary = finished_summary(folder(c), grid_.cells[c].config);
          summary && results_stand(folder(c), grid_.cells[c].config, *summary))
        summaries_[c] = std::move(*summary), states_[c] = CellState::done, ++ended_;
      else if (fs::exists(folder(c) / "config.toml"))
        states_[c] = CellState::begun;
      for (const std::string& doubt : doubts_about_cell(folder(c), grid_.cells[c].config, states_[c])) tell(doubt);
    }
    if (ended_ > 0) note(fmt::format("{} of {} runs have finished earlier", ended_, states_.size()));
    for (size_t c = 0; c < states_.size(); ++c)
      if (states_[c] == CellState::done)
        for (const std::string& change : changed_figures(folder(c))) tell(change);
    if (const std::vector<std::string> others = runs_beside(grid_, cells_); !others.empty())
      warn(
          fmt::format("{}: holds {} of another grid or other seeds ({}), which table.csv, table.md and report.html, "
                      "written anew, leave out",
                      cells_.string(), data::counted(others.size(), "run"), first_few(others, 3)));
  }

  fs::path beside(size_t cell, const char* extension) const { return folder(cell).string() + extension; }

  void begin(Children& children, const CellStart& start) {
    const GridCell& cell = grid_.cells[start.cell];
    std::vector<std::string> words = {"run",      "--quiet", "--out",     folder(start.cell).string(),
                                      "--device", o_.device, "--threads", std::to_string(threads_)};
    if (!o_.precision.empty()) words.insert(words.end(), {"--precision", o_.precision});
    data::write_file(beside(start.cell, ".toml"), {data::as_bytes(to_toml(cell.config))});
    std::string how = states_[start.cell] == CellState::begun ? "continues" : "starts";
    if (start.from) {
      words.insert(words.end(), {"--from", folder(*start.from).string()});
      for (const Difference& d : differences(grid_.cells[*start.from].config, cell.config))
        if (affects_of(d.field) > Affects::images) words.insert(words.end(), {"--set", d.field + "=" + d.right});
      how += fmt::format(" with {} of {}", shared_text(start.shared), grid_.name(grid_.cells[*start.from]));
    } else {
      words.insert(words.end(), {"--preset", beside(start.cell, ".toml").string()});
    }
    children.start(start.cell, words, beside(start.cell, ".log"));
    begun_at_[start.cell] = Clock::now();
    states_[start.cell] = CellState::running;
    note(fmt::format("{}: {}", grid_.name(cell), how));
  }

  void end(size_t cell, int status) {
    const std::string name = grid_.name(grid_.cells[cell]);
    if (status > 128 && stop_signal() != 0) {
      states_[cell] = CellState::begun;
      return note(fmt::format("{}: stopped", name));
    }
    ++ended_;
    const std::string place = fmt::format("[{}/{}] {}", ended_, states_.size(), name);
    std::optional<json> summary;
    std::string error = status > 128 ? fmt::format("ended by signal {}", status - 128) : "";
    if (status == 0) summary = finished_summary(folder(cell), grid_.cells[cell].config);
    if (!summary) {
      if (error.empty()) error = complaint_in(beside(cell, ".log"));
      states_[cell] = CellState::failed;
      failed_.emplace_back(name, error);
      return note(fmt::format("{}: failed: {}", place, error));
    }
    states_[cell] = CellState::done;
    summaries_[cell] = std::move(*summary);
    std::string text;
    for (const auto& [figure, value] : figures_of(summaries_[cell]))
      if (std::string_view(figure.key).ends_with("_acc")) text += fmt::format(", {} {:.1f}", figure.title, 100 * value);
    note(fmt::format("{}: {:.0f} s{}", place, std::chrono::duration<double>(Clock::now() - begun_at_[cell]).count(),
                     text));
    write_results();
  }

  GridResults collected() const {
    std::vector<fs::path> runs(states_.size());
    for (size_t c = 0; c < runs.size(); ++c)
      if (states_[c] == CellState::done) runs[c] = folder(c);
    return collect(grid_, summaries_, agreement_of_seeds(grid_, runs));
  }

  void write_results() const {
    const GridResults results = collected();
    const fs::path out = o_.out;
    const auto done = std::ranges::count(states_, CellState::done);
    const std::string page =
        render_grid_page(grid_, results,
                         {.title = "Grid of " + data::counted(grid_.cells.size(), "run"),
                          .facts = {{"Data", data_kinds()},
                                    {"Presets", presets()},
                                    {"Settings", std::to_string(grid_.settings.size())},
                                    {"Seeds", std::to_string(grid_.seeds.size())},
                                    {"Finished", fmt::format("{} of {}", done, grid_.cells.size())}},
                          .warnings = changed_,
                          .failed = failed_,
                          .chance = chance_of(results, summaries_),
                          .command = o_.command});
    data::write_file(out / "table.csv", {data::as_bytes(to_csv(grid_, results))});
    data::write_file(out / "table.md", {data::as_bytes(to_markdown(grid_, results))});
    data::write_file(out / "report.html", {data::as_bytes(page)});
  }

  template <class F>
  std::string different(F&& of) const {
    std::vector<std::string> all;
    for (const GridCell& cell : grid_.cells)
      if (const std::string text = of(cell.config); std::ranges::find(all, text) == all.end()) all.push_back(text);
    return fmt::format("{}", fmt::join(all, ", "));
  }
  std::string data_kinds() const {
    return different([](const RunConfig& c) { return data::kind_of(c.data.spec); });
  }
  std::string presets() const {
    return different([](const RunConfig& c) { return c.preset; });
  }

  Error failures() const {
    std::vector<std::string> lines;
    for (const auto& [name, error] : failed_) lines.push_back(fmt::format("{}: {}", name, error));
    return Error::of_list(fmt::format("{} of {} failed; the same command tries them again", failed_.size(),
                                      data::counted(states_.size(), "run")),
                          lines);
  }

  using Clock = std::chrono::steady_clock;
  const AblateOptions& o_;
  Grid grid_;
  fs::path cells_;
  std::vector<CellState> states_;
  std::vector<json> summaries_;
  std::vector<std::string> changed_;                         // figures, or files of which nothing tells: a line on each
  std::vector<std::pair<std::string, std::string>> failed_;  // name and error
  std::map<size_t, Clock::time_point> begun_at_;
  int jobs_ = 1, threads_ = 1;
  size_t ended_ = 0;
};

}  // namespace

void ablate(const AblateOptions& o, Grid grid) {
  catch_stop_signals();
  Ablation ablation(o, std::move(grid));
  expect_usable_folder(o.out);
  const std::vector<PlannedCell> plan = plan_cells(o, ablation.grid(), ablation.states(), ablation.jobs());
  if (o.dry_run) return print_plan(ablation.grid(), plan);
  ablation.run();
}

void add_ablate_command(CLI::App& app) {
  auto options = std::make_shared<AblateOptions>();
  CLI::App* command = app.add_subcommand("ablate", "Run a grid of settings and seeds, and tabulate what they came to");
  command->add_option("grid", options->grid, "TOML file: preset, data, seeds, set, axes, variants (docs/runs.md)")
      ->required();
  command
      ->add_option(
          "--out", options->out,
          "Folder of the grid: a new or an empty one, or one that was begun; what has finished there is not run again")
      ->required();
  whole_number(command->add_option("--jobs", options->jobs, "Runs at a time, which share the threads"), 1, 1024)
      ->capture_default_str();
  whole_number(
      command->add_option("--threads", options->threads, "Threads of all runs together; 0: as many as may run"), 0,
      4096);
  add_device_option(*command, options->device);
  command->add_option("--precision", options->precision, "Precision of activations: auto, f32, bf16")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}));
  command->add_flag("--dry-run", options->dry_run,
                    "Check that every run can start, list them and their work; write nothing but the cache of decoded "
                    "pictures");
  command->add_flag("--quiet", options->quiet, "No line per run");
  command->callback([options, command] {
    options->command = given_command(*command);
    Grid grid = load_grid(options->grid);
    if (!options->precision.empty() && grid.fields.contains("precision"))
      throw CLI::ValidationError(
          fmt::format("--precision and precision in {} are the same setting; expected one of them", options->grid));
    ablate(*options, std::move(grid));
  });
}

}  // namespace kith
