#include "scan/features/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "scan/run/timing.h"
#include "scan/text/few_steps.h"
#include "scan/text/wrap.h"
#include "scan/train/checkpoint_file.h"

namespace kith {
namespace {

const char* const kRowState = "kith.state";
const char* const kRowOrigin = "kith.run";

std::filesystem::path row_checkpoint(const std::filesystem::path& dir) { return dir / "checkpoint.safetensors"; }

class RowLoop {
 public:
  RowLoop(const RowRun& run, const RowTraining& t) : run_(run), t_(t) {}

  void go() {
    resume();
    run_.report.begin(t_.stage, round_ * t_.steps + step_, t_.rounds * t_.steps);
    for (; round_ < t_.rounds; ++round_) {
      while (step_ < t_.steps) one_step();
      end_round();
      step_ = 0, counted_ = 0, sum_ = 0;
    }
    run_.report.end();
  }

 private:
  double seconds() const { return earlier_seconds_ + watch_.seconds(); }

  void one_step() {
    if (run_.report.stop_requested()) stop();
    const std::optional<double> loss = t_.step(round_, step_);
    if (loss && !std::isfinite(*loss))
      throw Error(fmt::format("{}: the loss became {} in epoch {}, step {}; try a lower step size, --set lr=...",
                              t_.stage, *loss, round_ + 1, step_ + 1));
    if (loss) sum_ += *loss, ++counted_;
    ++step_;
    run_.report.step(t_.rows_per_step);
    if (since_saved_.seconds() >= run_.checkpoint_seconds) save();
  }

  void end_round() {
    nlohmann::json line = t_.end_round ? t_.end_round(round_) : nlohmann::json::object();
    if (counted_ > 0) line["loss"] = sum_ / static_cast<double>(counted_);
    std::vector<std::string> told = {fmt::format("{}: epoch {}/{}", t_.stage, round_ + 1, t_.rounds)};
    for (const auto& [name, value] : line.items())
      told.push_back(value.is_number_float() ? fmt::format("{} {:.4g}", name, value.get<double>())
                                             : fmt::format("{} {}", name, value.dump()));
    told.push_back(fmt::format("{:.1f} s", seconds()));
    line.update({{"stage", t_.stage}, {"epoch", round_ + 1}, {"epoch_end", true}, {"seconds", seconds()}});
    run_.report.metric(line);
    run_.report.note(wrapped_parts(told, 2));
  }

  void save() {
    Checkpoint c;
    t_.save(c);
    c.state["loop"] = {{"stage", t_.stage},
                       {"round", round_},
                       {"step", step_},
                       {"counted", counted_},
                       {"sum", sum_},
                       {"seconds", seconds()},
                       {"log", run_.report.log_position()}};
    c.arrays.metadata[kRowState] = c.state.dump();
    c.arrays.metadata[kRowOrigin] = run_.origin.dump();
    write_checkpoint_file(row_checkpoint(run_.dir), std::move(c.arrays));
    since_saved_ = {};
  }

  [[noreturn]] void stop() {
    save();
    run_.report.end();
    run_.report.note(fmt::format("{}: stopped in epoch {} after step {}; saved, the same command continues", t_.stage,
                                 round_ + 1, step_));
    throw Interrupted{};
  }

  void resume() {
    const std::optional<Checkpoint> saved = read_row_checkpoint(run_.dir, run_.origin);
    if (!saved) return;
    const nlohmann::json& loop = saved->state.at("loop");
    if (loop.at("stage") != t_.stage) return;
    loop.at("round").get_to(round_);
    loop.at("step").get_to(step_);
    loop.at("counted").get_to(counted_);
    loop.at("sum").get_to(sum_);
    loop.at("seconds").get_to(earlier_seconds_);
    run_.report.rewind_log(loop.at("log").get<int64_t>());
    t_.load(*saved);
    run_.report.note(
        fmt::format("{}: continues in epoch {} after step {} of {}", t_.stage, round_ + 1, step_, t_.steps));
  }

  const RowRun& run_;
  const RowTraining& t_;
  int64_t round_ = 0, step_ = 0;  // the next to do
  int64_t counted_ = 0;
  double sum_ = 0, earlier_seconds_ = 0;
  Stopwatch watch_, since_saved_;
};

}  // namespace

void train_rows(const RowRun& run, const RowTraining& training) { RowLoop(run, training).go(); }

void remove_row_checkpoint(const RowRun& run) {
  std::error_code ignored;
  std::filesystem::remove(row_checkpoint(run.dir), ignored);
}

std::optional<Checkpoint> read_row_checkpoint(const std::filesystem::path& dir, const nlohmann::json& origin) {
  const std::filesystem::path file = row_checkpoint(dir);
  if (!std::filesystem::exists(file)) return {};
  Checkpoint c{.arrays = read_checkpoint_file(file, "remove it to start over"), .state = {}};
  c.state = nlohmann::json::parse(c.arrays.metadata[kRowState], nullptr, false);
  if (c.state.is_discarded() || c.arrays.metadata[kRowOrigin] != origin.dump())
    throw Error(fmt::format("{}: not a checkpoint of this run; delete it to start over", file.string()));
  return c;
}

void warn_of_few_steps(const RowRun& run, const RowTraining& t, int64_t few) {
  if (const auto text = few_steps_text({.stage = t.stage,
                                        .sample = "row",
                                        .field = "epochs",
                                        .samples = run.rows(),
                                        .batch = run.settings.whole("batch"),
                                        .epochs = t.rounds,
                                        .steps_per_epoch = t.steps},
                                       few))
    run.report.warn(*text);
}

}  // namespace kith
