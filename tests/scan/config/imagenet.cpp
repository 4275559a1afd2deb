// The presets of ImageNet's subsets, as the paper and the authors' configurations have them.
#include <gtest/gtest.h>

#include "scan/config/config.h"

namespace kith {
namespace {

TEST(Presets, OfImageNetAreThePapers) {
  const RunConfig fifty = load_config("paper-imagenet50", {});
  EXPECT_EQ(fifty.model.depth, 50);
  EXPECT_EQ(fifty.mine.k, 50);
  EXPECT_EQ(fifty.cluster.heads, 10);
  EXPECT_FALSE(fifty.cluster.update_backbone);
  EXPECT_EQ(fifty.cluster.train.schedule.lr, 5);
  EXPECT_EQ(fifty.cluster.augment.policy, kernels::AugmentPolicy::simclr);
  for (const int classes : {100, 200}) {
    const RunConfig more = load_config("paper-imagenet" + std::to_string(classes), {});
    std::vector<std::string> fields;
    for (const Difference& d : differences(fifty, more)) fields.push_back(d.field + " " + d.right);
    EXPECT_EQ(fields, (std::vector<std::string>{"preset \"paper-imagenet" + std::to_string(classes) + "\"",
                                                "cluster.batch 1024", "cluster.classes " + std::to_string(classes)}));
  }
}

}  // namespace
}  // namespace kith
