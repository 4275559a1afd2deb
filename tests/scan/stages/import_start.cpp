// kith import --train: weights from elsewhere are where a pretext begins.
#include "scan/pretext/task.h"
#include "scan/stages/pretext.h"
#include "tests/scan/stages/import_fixture.h"

namespace kith {
namespace {

using namespace test;
namespace fs = std::filesystem;

TEST_F(Imports, AStartIsWhereTrainingBegins) {
  const fs::path file = written(weights("pretext"));
  for (const int64_t epochs : {0, 1}) {
    TinyRun to("import_start");
    to.config.pretext.train.epochs = epochs;
    import(to, file, {}, {}, ImportAs::start);
    EXPECT_EQ(to.config.pretext.train.epochs, epochs);
    EXPECT_EQ(state(to, "features"), Ledger::State::valid);
    const Arrays got = read_safetensors(to.file("pretext.safetensors")).arrays;
    int64_t changed = 0;
    for (const auto& [name, array] : weights("pretext").arrays) changed += got.at(name).bytes != array.bytes;
    EXPECT_EQ(changed == 0, epochs == 0) << changed << " tensors of " << got.size();
    to();  // mine, cluster, self-label, evaluate
  }
}

// Every task takes the backbone; a projection head only where it has the same.
TEST_F(Imports, AStartIsOneForEveryTask) {
  for (const PretextKind task : {PretextKind::moco, PretextKind::byol, PretextKind::rotnet}) {
    SCOPED_TRACE(pretext_task(task).name);
    RunConfig config = tiny_config();
    config.pretext.task = task;
    config.pretext.train.epochs = 1;
    config.pretext.moco.queue = 16;
    config.pretext.byol.hidden = 8;
    data::Dataset data = striped_data();
    for (data::Split& split : data.splits) split.images = data::resized(split.images, 9);
    const bool same_head = task == PretextKind::moco;
    const fs::path file = written(weights("pretext"));
    if (!same_head) {
      TinyRun refused("import_start_refused", config, data);
      EXPECT_NE(
          error_of([&] { import(refused, file, {}, {}, ImportAs::start); }).find("unexpected contrastive_head.0.bias"),
          std::string::npos);
      expect_nothing_in(refused);
    }
    TinyRun to("import_start_task", config, data);
    import(to, file, same_head ? std::vector<std::string>{} : std::vector<std::string>{"contrastive_head."}, {},
           ImportAs::start);
    EXPECT_EQ(to.config.pretext.task, task);

    // The network that follows begins as the one it follows.
    const auto begun = pretext_task(task).make(
        to.config, to.data,
        Session{to.ctx, to.config, to.data, to.folder.path(), to.report}.images.of(to.data.train()));
    begin_with(read_safetensors(start_path(to.folder.path())), *begun);
    SafeTensors beside;
    begun->save(beside);
    if (task == PretextKind::rotnet) continue;
    EXPECT_EQ(beside.arrays.at("follower/backbone.conv1.weight").bytes,
              weights("pretext").arrays.at("backbone.conv1.weight").bytes);
  }
}

TEST_F(Imports, ATrainingFromAStartContinuesAsIfNeverStopped) {
  const fs::path file = written(weights("pretext"));
  TinyRun whole("import_start_whole"), cut("import_start_cut");
  import(whole, file, {}, {}, ImportAs::start);
  cut.report.stop_after = 5;
  EXPECT_THROW(import(cut, file, {}, {}, ImportAs::start), Interrupted);
  cut.report.stop_after = std::numeric_limits<int64_t>::max();
  whole(), cut();
  expect_same_results(whole, cut);
}

TEST_F(Imports, AStartIsNoPlaceForClusterHeadsAndMustBeThere) {
  TinyRun to("import_start_heads");
  const fs::path file = written(weights("cluster"));
  EXPECT_EQ(error_of([&] { import(to, file, {}, {}, ImportAs::start); }),
            file.string() + ": cluster heads of features that --train changes; --ignore cluster_head. leaves them out");
  expect_nothing_in(to);
  to.config.pretext.start = "elsewhere.safetensors 0";
  EXPECT_EQ(error_of([&] { to(); }),
            start_path(to.folder.path()).string() +
                ": missing; pretext.start says that training begins with elsewhere.safetensors 0, and kith import "
                "--train, which alone sets that field, writes it into a new run directory");
}

}  // namespace
}  // namespace kith
