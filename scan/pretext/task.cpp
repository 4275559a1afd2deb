#include "scan/pretext/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "kernels/core/check.h"
#include "scan/config/run_command.h"

namespace kith {
namespace {

// Two linear layers: features -> features -> projection; or none.
double projection_head(const RunConfig& c) {
  const double features = c.model.features();
  return c.model.projection > 0 ? features * (features + c.model.projection) : 0;
}

// The key network and the rows of the queue.
double keys(const RunConfig& c, double trained) {
  return trained + static_cast<double>(c.pretext.moco.queue + c.pretext.train.batch) * c.model.mined();
}
std::string shards_fault(const RunConfig& c, const PretextShape& s) {
  const int64_t batch = std::min(c.pretext.train.batch, s.images), shards = c.pretext.moco.shards;
  if (s.ranks > 1 && s.whole_norm && shards != 1)
    return fmt::format("pretext.moco.shards: --sync-bn normalises the whole batch; expected 1, found {}", shards);
  if (s.ranks > 1 && !s.whole_norm && shards % s.ranks != 0)
    return fmt::format(
        "pretext.moco.shards: each of {} ranks has some; expected a multiple of {}, or --sync-bn and 1; found {}",
        s.ranks, s.ranks, shards);
  const auto parts = [&](int64_t n) { return batch % n == 0 && batch / n >= 2; };
  if (parts(shards)) return {};
  const std::vector<Difference> set = differences_from_preset(c);
  const bool of_preset = std::ranges::find(set, "pretext.moco.shards", &Difference::field) == set.end();
  int64_t fits = shards / s.ranks * s.ranks;  // the next fewer, as many for each rank
  while (fits > 0 && !parts(fits)) fits -= s.ranks;
  const std::string remedy = fits > 0              ? fmt::format("; --set pretext.moco.shards={}", fits)
                             : batch / shards >= 2 ? fmt::format("; --set pretext.batch={}", batch / shards * shards)
                                                   : "";
  return fmt::format(
      "pretext.moco.shards: expected a divisor of the batch of {}{} that leaves parts of at least 2 images; found "
      "{}{}{}",
      batch, batch < c.pretext.train.batch ? fmt::format(" ({}, cut to the images)", c.pretext.train.batch) : "",
      shards, of_preset ? fmt::format(", which preset {} has", c.preset) : "", remedy);
}

// features -> hidden -> projection -> hidden -> projection.
double byol_heads(const RunConfig& c) { return c.pretext.byol.hidden * (c.model.features() + 3. * c.model.projection); }
double target(const RunConfig& c, double trained) { return trained - 2. * c.pretext.byol.hidden * c.model.projection; }

std::string predictor_fault(const RunConfig& c, const PretextShape&) {
  return c.model.projection > 0 ? "" : "model.projection: byol predicts projections; expected at least 1, found 0";
}

double rotation_head(const RunConfig& c) { return 4 * c.model.features(); }
int features_mined(const RunConfig& c) { return c.model.features(); }
std::string square_fault(const RunConfig& c, const PretextShape& s) {
  const int height = c.pretext.augment.side(s.height), width = c.pretext.augment.side(s.width);
  if (height == width) return {};
  return fmt::format(
      "pretext.task: rotnet turns images by 90 degrees; expected square views, found {} x {}; --set "
      "pretext.augment.size=N makes them square",
      height, width);
}

constexpr PretextTaskInfo kTasks[] = {
    {.kind = PretextKind::simclr, .name = "simclr", .passes = 2, .head_weights = projection_head, .make = make_simclr},
    {.kind = PretextKind::moco,
     .name = "moco",
     .passes = 1,
     .passes_forward = 1,
     .head_weights = projection_head,
     .beside = keys,
     .fault = shards_fault,
     .make = make_moco},
    {.kind = PretextKind::byol,
     .name = "byol",
     .passes = 2,
     .passes_forward = 2,
     .head_weights = byol_heads,
     .beside = target,
     .fault = predictor_fault,
     .make = make_byol},
    {.kind = PretextKind::rotnet,
     .name = "rotnet",
     .passes = 4,
     .head_weights = rotation_head,
     .columns = features_mined,
     .fault = square_fault,
     .make = make_rotnet},
};

}  // namespace

ResNetConfig backbone_config(const ModelConfig& model, const data::Dataset& data) {
  return {.depth = model.depth, .width = model.width, .in_channels = data.train().channels, .stem = model.stem};
}

std::span<const PretextTaskInfo> pretext_tasks() { return kTasks; }

const PretextTaskInfo& pretext_task(PretextKind kind) {
  const auto at = std::ranges::find(kTasks, kind, &PretextTaskInfo::kind);
  check(at != std::end(kTasks), "pretext_task: no task of kind " + std::to_string(static_cast<int>(kind)));
  return *at;
}

int PretextTaskInfo::columns_of(const RunConfig& c) const { return columns == nullptr ? c.model.mined() : columns(c); }
double PretextTaskInfo::beside_of(const RunConfig& c, double trained) const {
  return beside == nullptr ? 0 : beside(c, trained);
}
std::string PretextTaskInfo::fault_of(const RunConfig& c, const PretextShape& s) const {
  return fault == nullptr ? "" : fault(c, s);
}

}  // namespace kith
