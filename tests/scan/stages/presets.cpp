// Every preset runs to its end, with everything that only makes it long made small.
#include "scan/config/presets.h"

#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using namespace test;

RunConfig cut_short(const std::string& preset) {
  const RunConfig tiny = tiny_config();
  RunConfig c =
      load_config(preset, {"data.spec=striped:nowhere", "data.size=0", "model.width=4", "model.projection=8"});
  c.pretext.augment.size = 8;  // square, for RotNet
  c.cluster.augment.size = c.selflabel.augment.size = 0;
  for (TrainConfig* t : {&c.pretext.train, &c.cluster.train, &c.selflabel.train}) {
    t->epochs = 1;
    t->batch = 16;
    t->schedule.lr = 1e-3;  // theirs are for large batches
    t->schedule.warmup_epochs = 0;
  }
  c.cluster.heads = std::min(c.cluster.heads, 3);
  c.selflabel.threshold = std::min(c.selflabel.threshold, 0.2f);  // nobody is sure yet
  c.pretext.moco.queue = 24;
  c.pretext.byol.hidden = 12;
  c.mine = {.k = 5, .k_test = 3, .include_self = c.mine.include_self};
  c.evaluate = tiny.evaluate;
  return c;
}

TEST(Presets, RunToTheirEnd) {
  for (const std::string& name : preset_names()) {
    SCOPED_TRACE(name);
    TinyRun run("preset_" + name, cut_short(name), striped_data(3));
    const nlohmann::json summary = run();
    EXPECT_EQ(summary.at("table").back().at("key"), "selflabel");
    EXPECT_GT(run.report.steps, 0);
  }
}

}  // namespace
}  // namespace kith
