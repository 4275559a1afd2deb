// What ranks tell each other in a step, counted: what the prediction of their time is made of.
#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "scan/preflight/scaling.h"
#include "scan/stages/pretext.h"
#include "tests/nn/device/ranks.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using namespace test;

constexpr int kRanks = 3;

struct Told {
  double reduced = 0, gathered = 0;
  int calls = 0;  // as StepTraffic counts them: a reduction is two
};

// Another's ranks, listened to.
class CountedRanks : public Collective {
 public:
  CountedRanks(std::shared_ptr<Collective> of, Told& told) : of_(std::move(of)), told_(told) {
    batch_norm = of_->batch_norm;
  }
  std::string engine() const override { return of_->engine(); }

 private:
  int place() const override { return of_->rank(); }
  int places() const override { return of_->size(); }
  void meet() override { of_->barrier(); }
  void reduce(std::span<float> x, Queue queue) override {
    told_.reduced += static_cast<double>(x.size_bytes()), told_.calls += 2;
    of_->all_reduce(x, queue);
  }
  void gather(std::span<std::byte> all, std::span<const int64_t> bounds, Queue queue) override {
    told_.gathered += static_cast<double>(all.size()), ++told_.calls;
    of_->all_gather(all, bounds, queue);
  }
  void send(std::span<std::byte> x, int root, Queue queue) override { of_->broadcast(x, root, queue); }

  std::shared_ptr<Collective> of_;
  Told& told_;
};

// By rank 0 in one epoch of so many steps.
Told told_in(RunConfig config, int64_t steps, Collective::BatchNorm by) {
  config.pretext.train.epochs = 1;
  TinyRun tiny("ranks_traffic", config, striped_data(1, steps * config.pretext.train.batch, 8));
  Told told;
  on_thread_ranks(kRanks, [&](const std::shared_ptr<Collective>& own) {
    own->batch_norm = by;
    Told others;
    Context ctx({.threads = 1, .collective = std::make_shared<CountedRanks>(own, own->rank() == 0 ? told : others)});
    Recorder report;
    Session s{ctx, tiny.config, tiny.data, tiny.folder.path(), report};
    const ImageSource& images = s.images.of(s.data.pretext_images());
    const auto task = pretext_task(config.pretext.task).make(s.config, s.data, images);
    train_pretext(s, *task, images);
  });
  return told;
}

TEST(RanksTraffic, OfAPretextStepIsWhatIsPredicted) {
  for (const PretextKind kind : {PretextKind::simclr, PretextKind::moco, PretextKind::byol, PretextKind::rotnet})
    for (const auto by : {Collective::BatchNorm::own, Collective::BatchNorm::whole}) {
      SCOPED_TRACE(testing::Message() << pretext_task(kind).name
                                      << (by == Collective::BatchNorm::own ? ", own" : ", whole"));
      RunConfig config = tiny_config();
      config.pretext.task = kind;
      config.pretext.augment.size = 8;
      config.pretext.byol.hidden = 8;
      config.pretext.train.batch = 18;
      config.pretext.moco = {.queue = 8, .shards = by == Collective::BatchNorm::own ? 2 * kRanks : 1};
      const Told two = told_in(config, 2, by), three = told_in(config, 3, by);
      const StepTraffic want =
          step_traffic(config, shape_of(striped_data(1, 2 * config.pretext.train.batch, 8)), by).at(0);
      // Weights have padding between them, 128 numbers each at most, of about 70.
      EXPECT_GE(three.reduced - two.reduced, want.reduced);
      EXPECT_LE(three.reduced - two.reduced, want.reduced + 4. * 128 * 80);
      EXPECT_EQ(three.gathered - two.gathered, want.gathered + kRanks * want.each);
      EXPECT_EQ(three.calls - two.calls, want.calls);
    }
}

}  // namespace
}  // namespace kith
