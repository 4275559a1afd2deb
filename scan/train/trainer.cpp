#include "scan/train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/device/ranks/collective.h"
#include "nn/device/replay.h"
#include "nn/tensor/profile.h"
#include "scan/run/alike.h"
#include "scan/run/ranks.h"
#include "scan/run/timing.h"
#include "scan/text/wrap.h"
#include "scan/train/epoch_means.h"
#include "scan/train/lower_rate.h"
#include "scan/train/sampler.h"
#include "scan/train/step_feed.h"
#include "scan/train/step_readback.h"

namespace kith {
namespace {

constexpr int64_t kStepsPerLine = StepReadback::kBlock;

// A profile lists them one operation after the other, so they are not replayed.
int listed_steps(Context& ctx) { return ctx.profiler() == nullptr ? 0 : ctx.profiler()->listed(); }

class Loop {
 public:
  Loop(const Session& s, Training t)
      : s_(s),
        t_(std::move(t)),
        order_seed_(seed_of(s.config.seed, t_.stage + "/order")),
        readback_(s.ctx),
        replay_(
            s.ctx, [this] { readback_.keep(t_.step(feed_->step())); }, Replay::kWarmUp + listed_steps(s.ctx)) {
    TrainConfig& c = t_.config;
    check(c.epochs >= 0 && c.batch >= 2, t_.stage + ": epochs >= 0 and batch >= 2 expected");
    if (t_.samples < 2) throw Error(fmt::format("{}: {} images, at least 2 are needed", t_.stage, t_.samples));
    c.batch = std::min(c.batch, t_.samples);  // said at the start: scan/preflight/preflight.h
    const int ranks = s.ctx.collective().size(),
              least = s.ctx.collective().batch_norm == Collective::BatchNorm::whole ? 1 : 2;
    if (c.batch / ranks < least)
      throw Error(
          fmt::format("{}: a batch of {} images leaves a rank of {} with fewer than {}; take fewer ranks, or a "
                      "larger batch with --set {}.batch=N",
                      t_.stage, c.batch, ranks, least, t_.stage));
    const int64_t drawn_for = t_.drawn_for > 0 ? std::min(t_.drawn_for, c.batch) : c.batch;
    if (ranks > 1 && drawn_for / ranks < least)
      throw Error(fmt::format("{}: {} images drawn for a batch leave a rank of {} with fewer than {}; take fewer ranks",
                              t_.stage, drawn_for, ranks, least));
    steps_per_epoch_ = t_.samples / c.batch;
    feed_.emplace(s.ctx, c.batch, steps_per_epoch_, t_.draws, drawn_for, t_.images);
    if (feed_->streams()) s_.report.note(fmt::format("{}: the images are streamed, {:.1f} MiB", t_.stage, image_mib()));
  }

  void run() {
    resume();
    s_.report.begin(t_.stage, epoch_ * steps_per_epoch_ + step_, t_.config.epochs * steps_per_epoch_);
    for (; epoch_ < t_.config.epochs; ++epoch_) run_epoch();
    s_.report.end();
    if (s_.ctx.collective().rank() == 0) record_seconds(s_, t_.stage, seconds());
  }

 private:
  enum Next : int32_t { go, save_first, stop_now };
  // The most that any rank asks for.
  int32_t what_next() const {
    const bool late = checkpoint_watch_.seconds() >= static_cast<double>(s_.config.checkpoint_seconds);
    return s_.ctx.collective().highest(s_.report.stop_requested() ? stop_now : late ? save_first : go);
  }

  double seconds() const { return earlier_seconds_ + watch_.seconds(); }

  float rate_at(int64_t step) const {
    return static_cast<float>(learning_rate(t_.config.schedule, epoch_, step, steps_per_epoch_, t_.config.epochs));
  }

  double progress_at(int64_t step) const {
    return static_cast<double>(epoch_ * steps_per_epoch_ + step) /
           static_cast<double>(t_.config.epochs * steps_per_epoch_);
  }

  void run_epoch() {
    if (what_next() == Next::stop_now) stop();
    if (step_ == 0 && t_.begin_epoch) unless_stopped([this] { t_.begin_epoch(epoch_); });
    const std::vector<int64_t> order = epoch_order(t_.samples, order_seed_, epoch_);
    const int64_t before = (t_.optimizer != nullptr ? t_.optimizer->steps() : 0) + 1 - step_;
    feed_->begin_epoch(
        order, [&](int64_t sample, int64_t* out) { t_.draw(epoch_, sample, out); },
        [&](int64_t step) {
          return LiveStep{.lr = rate_at(step),
                          .epoch = static_cast<uint32_t>(epoch_),
                          .step = before + step,
                          .decay = t_.decay ? t_.decay(progress_at(step)) : 0.f};
        },
        step_);
    images_ = 0;
    line_watch_ = {};
    while (step_ < steps_per_epoch_) {
      one_step();
      ++step_;
      s_.report.step(t_.config.batch);
      const int32_t next = what_next();
      if (next == Next::stop_now) stop();
      if (next == Next::save_first) save();
    }
    drain();
    if (t_.optimizer != nullptr)
      expect_same_bits(s_.ctx.collective(), t_.optimizer->flat().values(),
                       fmt::format("{}: the weights after epoch {}", t_.stage, epoch_ + 1));
    unless_stopped([this] { end_epoch(); });
    step_ = 0;
    means_.begin();
  }

  // Passes over images end where a stop is asked for: what they were to give is made anew when the run goes on from here, and
  // what they have counted by then is counted again.
  template <class Passes>
  void unless_stopped(Passes&& passes) {
    const std::vector<int64_t> before = counted();
    try {
      passes();
    } catch (const Interrupted&) {
      for (size_t i = 0; i < before.size(); ++i) *t_.counters[i] = before[i];
      stop();
    }
  }

  std::vector<int64_t> counted() const {
    std::vector<int64_t> counts;
    for (const int64_t* c : t_.counters) counts.push_back(*c);
    return counts;
  }

  void one_step() {
    const Section section(s_.ctx, "training step", Replay::kWarmUp);
    feed_->advance(step_);
    run_step();
    feed_->passed();
    average_statistics(s_.ctx.collective(), t_.averaged);
    if (t_.optimizer != nullptr) t_.optimizer->count_step();
    images_ += t_.config.batch;
    readback_.push(step_, [this](int64_t step, std::span<const double> values) { use(step, values); });
  }

  // A replayed step does not count for itself.
  void run_step() {
    const bool replayed = replay_.captured();
    const std::vector<int64_t> before = counted();
    try {
      replay_.run();
    } catch (const OutOfMemory& e) {
      throw Error(what_to_change(e));
    }
    if (!replayed && replay_.captured()) note_graph(replay_.graph()->nodes());
    for (size_t i = 0; i < before.size(); ++i) {
      if (replayed)
        *t_.counters[i] += counts_per_step_[i];
      else if (counts_per_step_.size() < before.size())
        counts_per_step_.push_back(*t_.counters[i] - before[i]);
    }
  }

  void note_graph(const GraphNodes& n) const {
    s_.report.note(fmt::format("{}: a step is one graph of {} kernels, {} copies, {} allocations and {} others",
                               t_.stage, n.kernels, n.copies, n.allocations, n.others));
  }

  double image_mib() const { return static_cast<double>(t_.images->images().pixels.size()) / (1 << 20); }

  std::string what_to_change(const OutOfMemory& e) const {
    std::string line = fmt::format(
        "{}: {}; take a smaller batch, --set {}.batch={}, or a narrower model, --set model.width={}", t_.stage,
        e.what(), t_.stage, std::max<int64_t>(t_.config.batch / 2, 2), std::max(s_.config.model.width / 2, 1));
    if (t_.images != nullptr && !s_.ctx.on_cpu() && !feed_->streams())
      line += fmt::format(", or leave the images ({:.1f} MiB) on the host, --stream yes", image_mib());
    return line;
  }

  void use(int64_t step, std::span<const double> values) {
    auto line =
        means_.add(readback_.names(), values, [&](const char* name, double value) { diverged(name, value, step); });
    if (!line || (step + 1) % kStepsPerLine != 0) return;
    (*line)["step"] = step + 1;
    (*line)["done"] = progress_at(step + 1);
    s_.report.metric(with_position(std::move(*line), rate_at(step)));
  }

  void drain() {
    readback_.drain([this](int64_t step, std::span<const double> values) { use(step, values); });
  }

  void end_epoch() {
    nlohmann::json line = t_.end_epoch ? t_.end_epoch(epoch_) : nlohmann::json::object();
    means_.into(line);
    std::vector<std::string> told = told_means(line);
    told.insert(told.begin(), fmt::format("{}: epoch {}/{}", t_.stage, epoch_ + 1, t_.config.epochs));
    line["epoch_end"] = true;
    line["done"] = static_cast<double>(epoch_ + 1) / static_cast<double>(t_.config.epochs);
    line["precision"] = s_.ctx.precision() == DType::bf16 ? "bf16" : s_.config.tf32 ? "tf32" : "f32";
    line = with_position(std::move(line), rate_at(steps_per_epoch_ - 1));
    if (images_ > 0) told.push_back(fmt::format("{:.0f} images/s", line["images_per_second"].get<double>()));
    told.push_back(fmt::format("{:.1f} s", seconds()));
    s_.report.metric(line);
    s_.report.note(wrapped_parts(told, 2));
  }

  nlohmann::json with_position(nlohmann::json line, float lr) const {
    line["stage"] = t_.stage;
    line["epoch"] = epoch_ + 1;
    line["lr"] = lr;
    line["images_per_second"] =
        static_cast<double>(images_ * t_.images_per_sample) / std::max(line_watch_.seconds(), 1e-9);
    line["seconds"] = seconds();
    return line;
  }

  [[noreturn]] void diverged(const char* name, double value, int64_t step) const {
    throw Error(fmt::format("{}: {} became {} in epoch {}, step {} (loss before: {:.4g}, lr {:.3g}){}", t_.stage, name,
                            std::isnan(value) ? std::fabs(value) : value, epoch_ + 1, step + 1, means_.last_loss(),
                            rate_at(step), lower_rate_hint(t_.stage, t_.config)));
  }

  void save() {
    drain();
    alone(s_.ctx.collective(), [this, ranks = s_.ctx.collective().size()] { write(ranks); });
    checkpoint_watch_ = {};
  }

  void write(int ranks) {
    Checkpoint c;
    t_.save(c);
    nlohmann::json& loop = c.state["loop"];
    loop = {{"epoch", epoch_}, {"step", step_}, {"seconds", seconds()}, {"log", s_.report.log_position()}};
    means_.save(loop);
    if (ranks > 1) {
      loop["ranks"] = ranks;
      loop["whole_batch_norm"] = s_.ctx.collective().batch_norm == Collective::BatchNorm::whole;
    }
    write_checkpoint(s_, t_.stage, std::move(c));
  }

  [[noreturn]] void stop() {
    save();
    s_.report.end();
    s_.report.note(fmt::format("{}: stopped after epoch {}, step {}; saved, the same command continues", t_.stage,
                               epoch_ + 1, step_));
    throw Interrupted{};
  }

  void resume() {
    const std::optional<Checkpoint> c = read_checkpoint(s_, t_.stage);
    if (!c) return;
    const nlohmann::json& loop = c->state.at("loop");
    loop.at("epoch").get_to(epoch_);
    loop.at("step").get_to(step_);
    loop.at("seconds").get_to(earlier_seconds_);
    means_.load(loop);
    s_.report.rewind_log(loop.at("log").get<int64_t>());
    t_.load(*c);
    if (const std::string other =
            other_ranks(s_.ctx.collective(), loop.value("ranks", 1), loop.value("whole_batch_norm", false));
        !other.empty())
      s_.report.note(fmt::format("{}: {}", t_.stage, other));
    s_.report.note(
        fmt::format("{}: continues in epoch {} after step {} of {}", t_.stage, epoch_ + 1, step_, steps_per_epoch_));
  }

  const Session& s_;
  Training t_;
  uint64_t order_seed_;
  int64_t steps_per_epoch_ = 0;
  int64_t epoch_ = 0, step_ = 0;  // the next step to do
  int64_t images_ = 0;
  double earlier_seconds_ = 0;
  EpochMeans means_;
  std::optional<StepFeed> feed_;
  StepReadback readback_;
  Replay replay_;
  std::vector<int64_t> counts_per_step_;
  Stopwatch watch_, line_watch_, checkpoint_watch_;
};

}  // namespace

std::vector<int64_t*> counters_of(const StateView& view) {
  std::vector<int64_t*> counters;
  for (const auto& [name, counter] : view.counters) counters.push_back(counter);
  return counters;
}

void train(const Session& s, Training t) { Loop(s, std::move(t)).run(); }

}  // namespace kith
