// Running statistics taken anew on a CUDA device, against the CPU.
#include "scan/train/statistics.h"

#include "scan/stages/models.h"
#include "scan/train/checkpoint.h"
#include "tests/scan/stages/cuda/support.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

class StatisticsCuda : public OnCuda {
 protected:
  // 18 images of 9 x 8: a batch.
  static SafeTensors statistics(const ContextOptions& options) {
    const RunConfig config = tiny_config();
    const data::Dataset data = striped_data(1, 18, 4);
    const Folder folder("statistics_cuda");
    Recorder report;
    Context ctx(options);
    ClusterModel model(ctx, config, data, 1);
    reestimate({ctx, config, data, folder.path(), report}, model.backbone);
    return save_state(model.state());
  }
};

TEST_F(StatisticsCuda, FollowTheCpuAndRepeatToTheBit) {
  const SafeTensors got = statistics(on_cuda()), again = statistics(on_cuda()), want = statistics({.threads = 1});
  for (const auto& [name, array] : got.arrays) {
    EXPECT_TRUE(array.bytes == again.arrays.at(name).bytes) << name;
    if (name.find(".running_") == std::string::npos) continue;
    const HostArray& other = want.arrays.at(name);
    for (int64_t c = 0; c < array.count(); ++c) {
      // A convolution adds up to 288 products, sqrt(288) = 17 roundings; there are 20 layers, one on top of the other, whose
      // normalised values are of order 1; a factor of 2 to spare.
      const double a = array.as<float>()[c], b = other.as<float>()[c];
      EXPECT_NEAR(a, b, 2 * 17 * 20 * kUnit * (1 + std::abs(b))) << name << " " << c;
    }
  }
}

TEST_F(StatisticsCuda, SelfLabellingThatLearnsNothingChangesNothing) {
  RunConfig config = tiny_config();
  config.selflabel.share = 0;
  config.selflabel.threshold = 1;
  config.selflabel.train.batch = 8;
  config.pretext.train.epochs = config.cluster.train.epochs = 1;
  config.cluster.frozen = true;
  config.cluster.views = 1;
  const data::Dataset data = striped_data(1, 18, 4);
  const Folder folder("nothing_cuda");
  Recorder report;
  Context ctx(on_cuda());
  Session s{ctx, config, data, folder.path(), report};
  for (const auto& stage : {pretext, mine, cluster, selflabel}) stage(s);
  const SafeTensors before = read_result(s, "cluster"), after = read_result(s, "selflabel");
  ASSERT_EQ(before.arrays.size(), after.arrays.size());
  for (const auto& [name, array] : before.arrays) EXPECT_TRUE(after.arrays.at(name).bytes == array.bytes) << name;
  EXPECT_TRUE(report.warned("selflabel: nothing was learned in any step"));
}

}  // namespace
}  // namespace kith::test
