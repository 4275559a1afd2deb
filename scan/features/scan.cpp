#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "nn/model/heads.h"
#include "scan/features/agreement_of_rows.h"
#include "scan/features/methods.h"
#include "scan/features/neighbours.h"
#include "scan/features/training.h"
#include "scan/metrics/agreement.h"
#include "scan/train/best_state.h"
#include "scan/train/heads_step.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

constexpr int64_t kValidated = 50000, kValidationBatch = 2048, kValidationNeighbours = 5;

class ScanOnRows {
 public:
  explicit ScanOnRows(const RowRun& run)
      : run_(run),
        x_(run.only()),
        lists_(neighbours_of(run, run.settings.whole("neighbours"))),
        heads_(run.ctx, static_cast<int>(x_.cols()), run.clusters, static_cast<int>(run.settings.whole("heads")),
               run.settings.seed),
        batch_(std::min(run.settings.whole("batch"), x_.rows())),
        optimizer_(
            run.ctx, state().parameters,
            {.kind = OptimizerKind::adam, .weight_decay = static_cast<float>(run.settings.value("weight_decay"))}) {
    validated_ = epoch_order(x_.rows(), seed_of(run.settings.seed, "scan/validation"), 0);
    validated_.resize(static_cast<size_t>(std::min(kValidated, x_.rows())));
    std::ranges::sort(validated_);
  }

  RowFit fit() {
    RowTraining t;
    t.stage = "scan";
    t.rounds = run_.settings.whole("epochs");
    t.steps = x_.rows() / batch_;
    t.rows_per_step = batch_;
    t.step = [this](int64_t epoch, int64_t step) { return one_step(epoch, step); };
    t.end_round = [this](int64_t epoch) { return validate(epoch); };
    t.save = [this](Checkpoint& c) {
      put_section(c.arrays, "heads", save_state(state()));
      optimizer_.save(c.arrays, "optimizer/");
      best_.save(c);
    };
    t.load = [this](const Checkpoint& c) {
      load_state(state(), take_section(c.arrays, "heads"));
      optimizer_.load(c.arrays, "optimizer/");
      best_.load(c);
    };
    // 1,797 digits of scikit-learn, ACC of two seeds: 150 steps 69 and 75, 300 steps 77 and 80, 600 steps 82 and 83.
    warn_of_few_steps(run_, t, 500);
    train_rows(run_, t);
    if (best_.epoch < 0) validate(0);  // no epochs asked for: the heads as they are
    load_state(state(), best_.state);
    RowFit out{.arrays = {}, .facts = facts()};
    const std::string kept = fmt::format("cluster_head.{}.", best_.head);
    out.arrays.arrays["space.0.weight"] = best_.state.arrays.at(kept + "weight");
    out.arrays.arrays["space.0.bias"] = best_.state.arrays.at(kept + "bias");
    return out;
  }

 private:
  StateView state() {
    StateView view;
    heads_.state(view, "cluster_head.");
    return view;
  }
  Matrix<const int64_t> lists() const { return {lists_.values.data(), lists_.shape[0], lists_.shape[1]}; }

  double one_step(int64_t epoch, int64_t step) {
    if (epoch != ordered_) order_ = epoch_order(x_.rows(), seed_of(run_.settings.seed, "scan/order"), epoch);
    ordered_ = epoch;
    const std::span<const int64_t> anchors{order_.data() + step * batch_, static_cast<size_t>(batch_)};
    std::vector<int64_t> others;
    for (const int64_t a : anchors)
      others.push_back(draw_neighbour(lists(), a, seed_of(run_.settings.seed, "scan/neighbour"), epoch));
    const ScanLossOut out = heads_gradients(run_.ctx, heads_, optimizer_, x_.batch(anchors), x_.batch(others),
                                            static_cast<float>(run_.settings.value("lambda")));
    optimizer_.step(static_cast<float>(run_.settings.value("lr")));
    const std::vector<float> losses = out.loss.value().to_host();
    double mean = 0;
    for (const float l : losses) mean += l / static_cast<double>(losses.size());
    return mean;
  }

  // use(anchors' logits [heads, n, clusters], rows validated_[first] ..)
  template <class F>
  void for_each_batch(F&& use) {
    for (size_t first = 0; first < validated_.size(); first += kValidationBatch) {
      const std::span<const int64_t> rows =
          std::span(validated_).subspan(first, std::min<size_t>(kValidationBatch, validated_.size() - first));
      Tape tape(run_.ctx, Tape::Mode::inference);
      use(tape, heads_(tape, tape.constant(x_.batch(rows))), rows);
    }
  }

  // Consistency - entropy of every head (scan/metrics/head_selection.h), whose logits of all rows need not fit in memory.
  nlohmann::json validate(int64_t epoch) {
    const auto heads = static_cast<size_t>(heads_.heads());
    const int64_t clusters = run_.clusters, columns = std::min(kValidationNeighbours, lists().cols);
    const double n = static_cast<double>(validated_.size());
    std::vector<double> consistency(heads), mean(heads * static_cast<size_t>(clusters));
    for_each_batch([&](Tape& tape, Var p, std::span<const int64_t> rows) {
      const double share = static_cast<double>(rows.size()) / n / static_cast<double>(columns);
      for (int64_t j = 0; j < columns; ++j) {
        std::vector<int64_t> others;
        for (const int64_t r : rows) others.push_back(lists().row(r)[j]);
        const Var q = heads_(tape, tape.constant(x_.batch(others)));
        const std::vector<float> of = scan_loss(tape, p, q, 1.f).consistency.to_host();
        for (size_t h = 0; h < heads; ++h) consistency[h] += share * of[h];
      }
      const Tensor probabilities = softmax(tape, p).value(), sums = run_.ctx.empty({clusters});
      for (size_t h = 0; h < heads; ++h) {
        kernels::column_sum({.x = probabilities.part(static_cast<int64_t>(h), 1).matrix(), .y = sums.span()},
                            run_.ctx.queue());
        const std::vector<float> of = sums.to_host();
        for (int64_t c = 0; c < clusters; ++c) mean[h * clusters + c] += of[c] / n;
      }
    });
    return keep_best(epoch, consistency, mean);
  }

  nlohmann::json keep_best(int64_t epoch, const std::vector<double>& consistency, const std::vector<double>& mean) {
    std::vector<double> loss = consistency, entropy(loss.size());
    for (size_t i = 0; i < mean.size(); ++i)
      if (mean[i] > 0) entropy[i / run_.clusters] -= mean[i] * std::log(mean[i]);
    for (size_t h = 0; h < loss.size(); ++h) loss[h] -= entropy[h];
    const auto head = static_cast<size_t>(std::ranges::min_element(loss) - loss.begin());
    if (!std::isfinite(loss[head]))
      throw Error(fmt::format("scan: the validation loss became {} in epoch {}", loss[head], epoch + 1));
    if (loss[head] < best_.loss)
      best_ = {.loss = loss[head], .epoch = epoch, .head = static_cast<int>(head), .state = save_state(state())};
    return {{"validation_loss", loss[head]},
            {"consistency", consistency[head]},
            {"entropy", entropy[head]},
            {"head", head}};
  }

  // Of the weights that are kept: how far the heads agree.
  nlohmann::json facts() {
    std::vector<std::vector<int32_t>> of(static_cast<size_t>(heads_.heads()));
    for_each_batch([&](Tape&, const Var& p, std::span<const int64_t> rows) {
      const std::vector<int32_t> labels = largest_of_rows(p.value().to_host(), run_.clusters);
      for (size_t i = 0; i < labels.size(); ++i) of[i / rows.size()].push_back(labels[i]);
    });
    nlohmann::json out = {{"validation_loss", best_.loss},
                          {"epoch", best_.epoch + 1},
                          {"head", best_.head},
                          {"validated_rows", validated_.size()}};
    if (const auto agreement = mean_pairwise_nmi(of)) out["agreement_of_heads"] = *agreement;
    return out;
  }

  const RowRun& run_;
  const FeatureRows& x_;
  data::NpyArray<int64_t> lists_;
  ClusterHeads heads_;
  int64_t batch_;
  Optimizer optimizer_;
  Best best_;
  std::vector<int64_t> validated_, order_;
  int64_t ordered_ = -1;
};

}  // namespace

RowFit fit_scan(const RowRun& run) { return ScanOnRows(run).fit(); }

}  // namespace kith
