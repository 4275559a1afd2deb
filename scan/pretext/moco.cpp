// MoCo v2 (He et al. 2020, arXiv:1911.05722; Chen et al. 2020, arXiv:2003.04297): a query of one view of an image is told from
// keys, made of another view by a network that is the moving average of the trained one. Keys of earlier batches are kept in a
// queue. The keys of the batch's other images are negatives too (in the papers those of the queue alone).
//
// Shards: where batch norm sees query and key in parts of the batch that hold the same images, statistics tell which key is the
// right one. Queries are cut into consecutive parts, keys are dealt like cards: part s of the one and part t of the other share
// one image in `shards`. A batch is shuffled already, so this is the papers' shuffling, on one device.
#include <algorithm>
#include <optional>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"
#include "kernels/ntxent.h"
#include "nn/device/ranks/collective.h"
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
        queries_(ctx_, c, data),
        keys_(ctx_, c, data),
        follower_(ctx_, queries_.state(), keys_.state()),
        views_(images, data, c.pretext.augment, seed_of(c.seed, "pretext/augment")),
        rows_(ctx_.empty({batch_ + config_.moco.queue, c.model.mined()})) {
    check(ctx_.collective().size() == 1, "moco: trains on one rank");
    fill_queue(seed_of(c.seed, "pretext/queue"));
    // Query i's key was dealt to hand i % shards, as its card i / shards.
    for (int64_t s = 0; s < config_.moco.shards; ++s) {
      std::vector<int32_t> positive;
      for (int64_t i = s * each_; i < (s + 1) * each_; ++i)
        positive.push_back(static_cast<int32_t>(i % config_.moco.shards * each_ + i / config_.moco.shards));
      positive_.emplace_back(ctx_, positive);
    }
  }

  StateView state() override { return queries_.state(); }
  ResNet& backbone() override { return queries_.backbone; }

  Var loss(Tape& tape, const Step& step) override {
    const Tensor images = views_(step.batch, step.live, {.count = 1, .first = 0});
    make_keys(views_(step.batch, step.live, {.count = 1, .first = 1}));
    const Var keys = tape.constant(rows_);
    const float share = 1.f / static_cast<float>(config_.moco.shards);
    std::optional<Var> total;
    for (int s = 0; s < config_.moco.shards; ++s) {
      const Var q = queries_(tape, tape.constant(images.part(s * each_, each_)), true);
      const Var part =
          mean(tape, contrastive(tape, q, keys, positive_[static_cast<size_t>(s)], kernels::kNoSelf, config_.tau));
      const Var shared = config_.moco.shards == 1 ? part : scale(tape, part, share);
      total = total ? add(tape, *total, shared) : shared;
    }
    return *total;
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
  void make_keys(const Tensor& images) {
    const Tensor dealt = config_.moco.shards == 1 ? images : deal_rows(ctx_, images, config_.moco.shards);
    for (int s = 0; s < config_.moco.shards; ++s) {
      Tape tape(ctx_, Tape::Mode::inference);
      rows_.part(s * each_, each_).copy_from(keys_(tape, tape.constant(dealt.part(s * each_, each_)), true).value());
    }
  }

  Context& ctx_;
  const PretextConfig& config_;
  int64_t batch_, each_;  // images of a batch, of a shard
  Projected queries_, keys_;
  Follower follower_;
  Views views_;
  Tensor rows_;  // [batch + queue, dim]: the keys of the batch, then those of earlier ones, the latest first
  std::vector<Array<int32_t>> positive_;  // of each shard
};

}  // namespace

std::unique_ptr<PretextTask> make_moco(const RunConfig& config, const data::Dataset& data, const ImageSource& images) {
  return std::make_unique<Moco>(config, data, images);
}

}  // namespace kith
