#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "scan/features/agreement_of_rows.h"
#include "scan/features/cluster_count.h"
#include "scan/features/methods.h"
#include "scan/features/neighbours.h"
#include "scan/features/temi.h"
#include "scan/features/training.h"
#include "scan/metrics/agreement.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

class TemiOnRows {
 public:
  explicit TemiOnRows(const RowRun& run)
      : run_(run),
        x_(run.only()),
        lists_(neighbours_of(run, run.settings.whole("neighbours"))),
        batch_(std::min(run.settings.whole("batch"), x_.rows())),
        steps_(x_.rows() / batch_),
        heads_(run.ctx, x_.cols(), run.clusters,
               {.heads = static_cast<int>(run.settings.whole("heads")),
                .hidden = static_cast<int>(run.settings.whole("hidden")),
                .bottleneck = static_cast<int>(run.settings.whole("bottleneck")),
                .beta = static_cast<float>(run.settings.value("beta")),
                .temperature = static_cast<float>(run.settings.value("temperature")),
                .teacher_momentum = static_cast<float>(run.settings.value("momentum")),
                .weight_decay = static_cast<float>(run.settings.value("weight_decay"))},
               seed_of(run.settings.seed, "temi")),
        sums_(static_cast<size_t>(run.settings.whole("heads"))) {}

  RowFit fit() {
    RowTraining t;
    t.stage = "temi";
    t.rounds = run_.settings.whole("epochs");
    t.steps = steps_;
    t.rows_per_step = 2 * batch_;
    t.step = [this](int64_t epoch, int64_t step) { return one_step(epoch, step); };
    t.end_round = [this](int64_t) { return end_epoch(); };
    t.save = [this](Checkpoint& c) {
      heads_.save(c.arrays);
      c.state["temi"] = {{"sums", sums_}, {"best", best_}};
    };
    t.load = [this](const Checkpoint& c) {
      heads_.load(c.arrays);
      c.state.at("temi").at("sums").get_to(sums_);
      c.state.at("temi").at("best").get_to(best_);
    };
    warn_of_few_steps(run_, t, 1000);  // the authors train for 100 epochs of a million rows
    train_rows(run_, t);
    return {.arrays = heads_.teacher(best_), .facts = facts()};
  }

 private:
  // From 0 in the warm-up, in steps, to where it stays; in proportion to the batch.
  float rate_at(int64_t step) const {
    const double full = run_.settings.value("lr") * static_cast<double>(batch_) / 256;
    const double all = static_cast<double>(run_.settings.whole("epochs") * steps_);
    const double warm = std::floor(run_.settings.value("warmup") * all);
    const double at = static_cast<double>(step);
    return static_cast<float>(at < warm ? full * at / std::max(warm - 1, 1.0) : full);
  }

  double one_step(int64_t epoch, int64_t step) {
    if (epoch != ordered_) order_ = epoch_order(x_.rows(), seed_of(run_.settings.seed, "temi/order"), epoch);
    ordered_ = epoch;
    const Matrix<const int64_t> lists{lists_.values.data(), lists_.shape[0], lists_.shape[1]};
    const auto first = order_.begin() + step * batch_;
    std::vector<int64_t> rows(first, first + batch_);
    for (int64_t i = 0; i < batch_; ++i)
      rows.push_back(draw_neighbour(lists, rows[i], seed_of(run_.settings.seed, "temi/neighbour"), epoch));
    const std::vector<float> losses = heads_.step(x_.batch(rows), rate_at(epoch * steps_ + step),
                                                  epoch == 0 ? TemiHeads::Last::still : TemiHeads::Last::trained);
    double mean = 0;
    for (size_t h = 0; h < losses.size(); ++h) {
      sums_[h] += losses[h];
      mean += losses[h] / static_cast<double>(losses.size());
    }
    return mean;
  }

  // The head of least mean loss in the last epoch answers.
  nlohmann::json end_epoch() {
    best_ = static_cast<int>(std::ranges::min_element(sums_) - sums_.begin());
    const double loss = sums_[best_] / static_cast<double>(steps_);
    std::ranges::fill(sums_, 0.0);
    return {{"head", best_}, {"head_loss", loss}};
  }

  nlohmann::json facts() {
    const std::vector<int64_t> index = sample_of_rows(x_.rows(), kSilhouetteRows, run_.settings.seed);
    std::vector<std::vector<int32_t>> answers;
    for (size_t h = 0; h < sums_.size(); ++h)
      answers.push_back(labels_of_rows(run_, heads_.teacher(static_cast<int>(h)), index));
    nlohmann::json out = {{"head", best_}};
    if (const auto agreement = mean_pairwise_nmi(answers)) out["agreement_of_heads"] = *agreement;
    return out;
  }

  const RowRun& run_;
  const FeatureRows& x_;
  data::NpyArray<int64_t> lists_;
  int64_t batch_, steps_;
  TemiHeads heads_;
  std::vector<double> sums_;  // of this epoch's losses, of each head
  int best_ = 0;
  std::vector<int64_t> order_;
  int64_t ordered_ = -1;
};

}  // namespace

RowFit fit_temi(const RowRun& run) { return TemiOnRows(run).fit(); }

}  // namespace kith
