// MoCo v2 (He et al. 2020, arXiv:1911.05722; Chen et al. 2020, arXiv:2003.04297): a query of one view of an image is told from
// keys, made of another view by a network that is the moving average of the trained one. Keys of earlier batches are kept in a
// queue. The keys of the batch's other images are negatives too (in the papers those of the queue alone).
//
// Shards: where batch norm sees query and key in parts of the batch that hold the same images, statistics tell which key is the
// right one. Queries are cut into consecutive parts, keys are dealt like cards: part s of the one and part t of the other share
// one image in `shards`. A batch is shuffled already, so this is the papers' shuffling, on one device.
//
// Several ranks have as many shards each, or one of all of them where batch norm is of the whole batch; the shards, and with them
// the loss, are those of one rank. A rank makes the keys of its shards from images that others have as queries, and all ranks
// gather all keys, in the order of the ranks: the queue is the same on each.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"
#include "kernels/ntxent.h"
#include "nn/device/ranks/collective.h"
#include "nn/ops/ranks.h"
#include "scan/input/views.h"
#include "scan/pretext/follower.h"
#include "scan/pretext/projected.h"

namespace kith {
namespace {

class Moco : public PretextTask {
 public:
  Moco(const RunConfig& c, const data::Dataset& data, const ImageSource& images)
      : ctx_(images.context()),
        config_(c.pretext),
        batch_(std::min(c.pretext.train.batch, images.images().count)),
        each_(batch_ / config_.moco.shards),
        bounds_(share_bounds(batch_, ctx_.collective().size())),
        own_(share_of(ctx_.collective(), bounds_, config_.moco.shards)),
        queries_(ctx_, c, data),
        keys_(ctx_, c, data),
        follower_(ctx_, queries_.state(), keys_.state()),
        views_(images, data, c.pretext.augment, seed_of(c.seed, "pretext/augment")),
        rows_(ctx_.empty({batch_ + config_.moco.queue, c.model.mined()})) {
    fill_queue(seed_of(c.seed, "pretext/queue"));
    // Query i's key was dealt to hand i % shards, as its card i / shards.
    for (int64_t part = 0; part < own_.parts; ++part) {
      std::vector<int32_t> positive;
      const int64_t first = own_.first + part * own_.rows;
      for (int64_t i = first; i < first + own_.rows; ++i)
        positive.push_back(static_cast<int32_t>(i % config_.moco.shards * each_ + i / config_.moco.shards));
      positive_.emplace_back(ctx_, positive);
    }
  }

  StateView state() override { return queries_.state(); }
  ResNet& backbone() override { return queries_.backbone; }

  Var loss(Tape& tape, const Step& step) override {
    const Tensor images = views_(step.batch, step.live, {.count = 1, .first = 0});
    make_keys(step);
    const Var keys = tape.constant(rows_);
    const float share = static_cast<float>(own_.rows) / static_cast<float>(batch_);
    std::optional<Var> total;
    for (int64_t p = 0; p < own_.parts; ++p) {
      const Var q = queries_(tape, tape.constant(images.part(p * own_.rows, own_.rows)), true);
      const Var part =
          mean(tape, contrastive(tape, q, keys, positive_[static_cast<size_t>(p)], kernels::kNoSelf, config_.tau));
      const Var shared = own_.rows == batch_ ? part : scale(tape, part, share);
      total = total ? add(tape, *total, shared) : shared;
    }
    const int ranks = ctx_.collective().size();
    if (ranks == 1) return *total;
    return sum(tape, whole_batch(tape, reshape(tape, *total, {1}), share_bounds(ranks, ranks)));
  }

  void follow() override { follower_.copy(); }
  // The queue moves on by a batch: the oldest keys leave. Copied by way of other memory, since the two places overlap.
  void after_step(const Step&, const int32_t*) override {
    follower_.update(config_.moco.momentum);
    const int64_t queue = config_.moco.queue;
    const OpScope op(ctx_, "queue", {.flops = 0, .bytes = 4 * static_cast<double>(rows_.part(0, queue).bytes())});
    const Tensor moved = ctx_.empty({queue, rows_.dim(-1)});
    moved.copy_from(rows_.part(0, queue));
    rows_.part(batch_, queue).copy_from(moved);
  }

  Var features(Tape& tape, Var images) override { return queries_(tape, images, false); }

  void save(SafeTensors& to) const override {
    follower_.save(to);
    to.arrays["queue"] = to_array(rows_.part(batch_, config_.moco.queue));
  }
  void load(const SafeTensors& from) override {
    follower_.load(from);
    StrictReader reader(from, "queue of keys");
    const Tensor queue = rows_.part(batch_, config_.moco.queue);
    const HostArray* saved = reader.expect("queue", "F32", queue.shape());
    reader.finish("queue");
    from_array(*saved, queue);
  }

 private:
  // Random directions, until batches have come by.
  void fill_queue(uint64_t seed) {
    std::vector<float> rows(static_cast<size_t>(rows_.size()));
    Random random(seed, 0, 0, 0);
    for (float& v : rows) v = random.uniform(-1, 1);
    rows_.copy_from(rows);
    Tape tape(ctx_, Tape::Mode::inference);
    rows_.copy_from(l2_normalize(tape, tape.constant(rows_)).value());
  }

  // The first rows: one hand after another.
  void make_keys(const Step& step) {
    const Tensor dealt = dealt_views(step);
    for (int64_t p = 0; p < own_.parts; ++p) {
      Tape tape(ctx_, Tape::Mode::inference);
      rows_.part(own_.first + p * own_.rows, own_.rows)
          .copy_from(keys_(tape, tape.constant(dealt.part(p * own_.rows, own_.rows)), true).value());
    }
    std::vector<int64_t> bytes = bounds_;
    for (int64_t& b : bytes) b *= rows_.dim(-1) * static_cast<int64_t>(sizeof(float));
    ctx_.collective().all_gather(std::as_writable_bytes(rows_.part(0, batch_).span()), bytes, ctx_.queue());
  }

  // The views that this rank makes keys of: of images of the whole batch, where they are dealt to several ranks.
  Tensor dealt_views(const Step& step) const {
    constexpr ViewRange kOfKeys{.count = 1, .first = 1};
    const int64_t shards = config_.moco.shards;
    if (shards == 1) return views_(step.batch, step.live, kOfKeys);
    if (ctx_.collective().size() == 1) return deal_rows(ctx_, views_(step.batch, step.live, kOfKeys), shards);
    std::vector<int64_t> index;
    for (int64_t row = own_.first; row < own_.first + own_.parts * own_.rows; ++row)
      index.push_back(step.whole[static_cast<size_t>(row % each_ * shards + row / each_)]);
    return views_({.index = index}, step.live, kOfKeys);
  }

  // Of a batch, this rank's: `parts` of `rows` images from `first` on.
  struct Share {
    int64_t first = 0, parts = 1, rows = 0;
  };
  static Share share_of(const Collective& ranks, const std::vector<int64_t>& bounds, int64_t shards) {
    check(ranks.size() == 1 ||
              (ranks.batch_norm == Collective::BatchNorm::whole ? shards == 1 : shards % ranks.size() == 0),
          "moco: shards of every rank, or one where batch norm is of the whole batch");
    const auto r = static_cast<size_t>(ranks.rank());
    const int64_t parts = std::max<int64_t>(shards / ranks.size(), 1);
    return {.first = bounds[r], .parts = parts, .rows = (bounds[r + 1] - bounds[r]) / parts};
  }

  Context& ctx_;
  const PretextConfig& config_;
  int64_t batch_, each_;         // images of a batch, of a shard
  std::vector<int64_t> bounds_;  // of the ranks' shares
  Share own_;
  Projected queries_, keys_;
  Follower follower_;
  Views views_;
  Tensor rows_;  // [batch + queue, dim]: the keys of the batch, then those of earlier ones, the latest first
  std::vector<Array<int32_t>> positive_;  // of each own part
};

}  // namespace

std::unique_ptr<PretextTask> make_moco(const RunConfig& config, const data::Dataset& data, const ImageSource& images) {
  return std::make_unique<Moco>(config, data, images);
}

}  // namespace kith
