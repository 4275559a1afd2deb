#include "nn/device/plans/plan_store.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace kith {
namespace {

namespace fs = std::filesystem;

const PlanIdentity kIdentity{.device = "NVIDIA H100 80GB HBM3", .driver = "580.65", .library = "cuDNN 9.28.1"};
const ConvShape kShape{
    .images = 512, .height = 32, .width = 32, .in = 64, .out = 128, .kernel = 3, .stride = 2, .padding = 1};
const ConvPlanKey kKey{.shape = kShape, .pass = Pass::backward_data, .dtype = DType::bf16, .write = Write::add};
const PlanChoice kChoice{.engine = 73, .knobs = {{1, 2}, {33, 0}}, .workspace = 4096, .microseconds = 41.25};

class PlanFile : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::path(testing::TempDir()) / ("kith_plans_" + name) / "deeper";
    fs::remove_all(folder_.parent_path());
  }
  void TearDown() override { fs::remove_all(folder_.parent_path()); }
  // The text of a file that holds kKey.
  std::string text() {
    PlanStore store(kIdentity, folder_);
    store.put(kKey, kChoice);
    std::ifstream in(store.file());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void overwrite(const std::string& text) { std::ofstream(PlanStore(kIdentity, folder_).file()) << text; }
  fs::path folder_;
};

// One key for each field, each differing from kKey in that field alone.
std::vector<ConvPlanKey> neighbours() {
  std::vector<ConvPlanKey> keys;
  const auto add = [&](auto&& change) { change(keys.emplace_back(kKey)); };
  add([](ConvPlanKey& k) { ++k.shape.images; });
  add([](ConvPlanKey& k) { ++k.shape.height; });
  add([](ConvPlanKey& k) { ++k.shape.width; });
  add([](ConvPlanKey& k) { ++k.shape.in; });
  add([](ConvPlanKey& k) { ++k.shape.out; });
  add([](ConvPlanKey& k) { ++k.shape.kernel; });
  add([](ConvPlanKey& k) { ++k.shape.stride; });
  add([](ConvPlanKey& k) { ++k.shape.padding; });
  add([](ConvPlanKey& k) { k.pass = Pass::backward_weights; });
  add([](ConvPlanKey& k) { k.pass = Pass::forward; });
  add([](ConvPlanKey& k) { k.dtype = DType::f32; });
  add([](ConvPlanKey& k) { k.write = Write::overwrite; });
  add([](ConvPlanKey& k) { k.tf32 = true; });
  add([](ConvPlanKey& k) { k.alignment = 8; });
  return keys;
}

TEST_F(PlanFile, plans_come_back_as_they_were) {
  std::vector<ConvPlanKey> keys = neighbours();
  keys.push_back(kKey);
  {
    PlanStore store(kIdentity, folder_);
    for (size_t i = 0; i < keys.size(); ++i) {
      PlanChoice choice = kChoice;
      choice.engine = static_cast<int64_t>(i);
      store.put(keys[i], choice);
    }
    EXPECT_EQ(store.warning(), "");
  }
  const PlanStore again(kIdentity, folder_);
  EXPECT_EQ(again.warning(), "");
  EXPECT_EQ(again.size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    PlanChoice choice = kChoice;
    choice.engine = static_cast<int64_t>(i);
    const PlanChoice* found = again.find(keys[i]);
    ASSERT_NE(found, nullptr) << to_string(keys[i]);
    EXPECT_EQ(*found, choice) << to_string(keys[i]);
  }
}

TEST_F(PlanFile, a_key_that_differs_anywhere_is_another_key) {
  PlanStore store(kIdentity, folder_);
  store.put(kKey, kChoice);
  for (const ConvPlanKey& key : neighbours()) EXPECT_EQ(store.find(key), nullptr) << to_string(key);
}

TEST_F(PlanFile, the_last_choice_stays) {
  PlanStore store(kIdentity, folder_);
  store.put(kKey, kChoice);
  PlanChoice better = kChoice;
  better.engine = 74;
  store.put(kKey, better);
  EXPECT_EQ(PlanStore(kIdentity, folder_).find(kKey)->engine, 74);
}

TEST_F(PlanFile, another_device_driver_or_library_has_its_own_plans) {
  text();
  for (std::string PlanIdentity::*part : {&PlanIdentity::device, &PlanIdentity::driver, &PlanIdentity::library}) {
    PlanIdentity other = kIdentity;
    other.*part += "x";
    EXPECT_EQ(PlanStore(other, folder_).size(), 0u);
    EXPECT_EQ(PlanStore(other, folder_).warning(), "");
  }
  EXPECT_EQ(PlanStore(kIdentity, folder_).size(), 1u);
}

// The names of two identities may become the same file: what the file itself says decides.
TEST_F(PlanFile, a_file_of_another_identity_is_ignored) {
  text();
  PlanIdentity other = kIdentity;
  other.device = "NVIDIA H100_80GB HBM3";
  const PlanStore store(other, folder_);
  ASSERT_EQ(store.file(), PlanStore(kIdentity, folder_).file());
  EXPECT_EQ(store.size(), 0u);
  EXPECT_NE(store.warning().find("of another format, device, driver or library"), std::string::npos) << store.warning();
}

TEST_F(PlanFile, damage_is_ignored_with_a_warning) {
  const std::string whole = text();
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string changed = whole;
    EXPECT_NE(changed.find(from), std::string::npos) << from;
    return changed.replace(changed.find(from), from.size(), to);
  };
  const std::string damaged[] = {"",
                                 "nonsense",
                                 "[]",
                                 "{}",
                                 whole.substr(0, whole.size() / 2),
                                 replaced("\"format\": 1", "\"format\": 2"),
                                 replaced("backward_data", "sideways"),
                                 replaced("bf16", "f8"),
                                 replaced("\"engine\": 73", "\"engine\": \"x\""),
                                 replaced("512,", ""),
                                 replaced("\"knobs\"", "\"nobs\"")};
  for (const std::string& text : damaged) {
    overwrite(text);
    PlanStore store(kIdentity, folder_);
    EXPECT_EQ(store.size(), 0u) << text;
    EXPECT_NE(store.warning().find("ignored, searched anew"), std::string::npos) << text << store.warning();
    EXPECT_EQ(store.warning().find('\n'), std::string::npos) << store.warning();
    store.put(kKey, kChoice);  // and the file is sound again
    EXPECT_EQ(PlanStore(kIdentity, folder_).warning(), "");
    EXPECT_EQ(PlanStore(kIdentity, folder_).size(), 1u);
  }
}

TEST_F(PlanFile, a_folder_that_cannot_be_written_costs_a_warning) {
  fs::create_directories(folder_.parent_path());
  std::ofstream(folder_) << "a file where the folder should be";
  PlanStore store(kIdentity, folder_);
  store.put(kKey, kChoice);
  EXPECT_NE(store.find(kKey), nullptr);
  EXPECT_NE(store.warning().find("cannot be written"), std::string::npos) << store.warning();
}

TEST_F(PlanFile, nothing_but_the_file_is_left_in_the_folder) {
  text();
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST(plan_store, without_a_folder_plans_stay_in_memory) {
  PlanStore store(kIdentity, "");
  store.put(kKey, kChoice);
  EXPECT_EQ(*store.find(kKey), kChoice);
  EXPECT_TRUE(store.file().empty());
}

TEST(plan_store, keys_have_a_line_for_messages) {
  EXPECT_EQ(to_string(kKey),
            "convolution 512x32x32x64 -> 128, kernel 3, stride 2, padding 1, backward_data, bf16, add");
}

}  // namespace
}  // namespace kith
