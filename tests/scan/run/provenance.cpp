// Which fields decide which stage's result, and how a difference reads.
#include "scan/run/provenance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace kith {
namespace {

constexpr Affects kStages[] = {Affects::pretext, Affects::mine, Affects::cluster, Affects::selflabel,
                               Affects::evaluate};

// Gives a field another value.
struct Change {
  void operator()(bool* x) const { *x = !*x; }
  void operator()(std::string* x) const { *x += "x"; }
  void operator()(std::vector<double>* x) const { x->push_back(3); }
  void operator()(const EnumField& x) const { *x.value = static_cast<uint8_t>((*x.value + 1) % x.names.size()); }
  template <class T>
  void operator()(T* x) const {
    *x += 1;
  }
};

// By the section that a field stands in; the exceptions by name.
Affects expected(const std::string& name) {
  const std::map<std::string, Affects> by_name = {{"preset", Affects::nothing},
                                                  {"threads", Affects::nothing},
                                                  {"checkpoint_seconds", Affects::nothing},
                                                  {"recompute", Affects::nothing},
                                                  {"pretext.knn_every", Affects::nothing},
                                                  {"precision", Affects::arithmetic},
                                                  {"tf32", Affects::arithmetic},
                                                  {"seed", Affects::pretext},
                                                  {"selflabel.enabled", Affects::evaluate},
                                                  {"refine.enabled", Affects::evaluate}};
  if (const auto at = by_name.find(name); at != by_name.end()) return at->second;
  const std::map<std::string, Affects> by_section = {{"data", Affects::images},     {"model", Affects::pretext},
                                                     {"pretext", Affects::pretext}, {"mine", Affects::mine},
                                                     {"cluster", Affects::cluster}, {"selflabel", Affects::selflabel},
                                                     {"refine", Affects::refine},   {"evaluate", Affects::evaluate}};
  return by_section.at(name.substr(0, name.find('.')));
}

TEST(Provenance, EachFieldDecidesItsStageAndNoOther) {
  RunConfig names;
  for (const Field& field : fields(names)) {
    EXPECT_EQ(field.affects, expected(field.name)) << field.name;
    EXPECT_EQ(affects_of(field.name), field.affects);
    if (const auto* choice = std::get_if<EnumField>(&field.value); choice && choice->names.size() < 2) continue;
    RunConfig changed;
    for (const Field& f : fields(changed))
      if (f.name == field.name) std::visit(Change{}, f.value);
    for (const Affects stage : kStages)
      EXPECT_EQ(deciding_fields(changed, stage).contains(field.name), stage == field.affects) << field.name;
  }
}

// So a field that a later version adds does not age the results of this one.
TEST(Provenance, DefaultsAreNotRecorded) {
  for (const Affects stage : kStages) EXPECT_TRUE(deciding_fields({}, stage).empty());
}

TEST(Provenance, DifferencesNameWhatWasAndIs) {
  const std::string digest = "0123456789abcdef0123456789abcdef", other = "fedcba98" + digest.substr(8);
  const Origin was{.data = {{"train images", "2 of 4 x 2 x 1, " + digest}},
                   .fields = {{"mine.k", "7"}},
                   .inputs = {{"a.npy", digest}, {"gone.npy", digest}, {"same.npy", digest}}};
  const Origin now{.data = {{"train images", "2 of 4 x 2 x 1, " + other}},
                   .fields = {{"mine.include_self", "true"}},
                   .inputs = {{"a.npy", other}, {"same.npy", digest}}};
  EXPECT_EQ(
      difference(was, now).text(),
      "the train images were 2 of 4 x 2 x 1, 01234567, now 2 of 4 x 2 x 1, fedcba98; mine.include_self was false, now "
      "true; mine.k was 7, now 20; a.npy has changed");
  EXPECT_FALSE(difference(was, was).any());
  EXPECT_EQ(difference(was, was).text(), "");
}

TEST(Provenance, AnOriginReadsBack) {
  const Origin origin{.data = {{"train images", "x"}}, .fields = {{"mine.k", "7"}}, .inputs = {{"a.npy", "0"}}};
  EXPECT_EQ(origin_from_json(to_json(origin)), origin);
}

TEST(Provenance, WhatAStageComesFrom) {
  const auto names = [](const char* stage) {
    std::vector<std::string> all;
    for (const StageInfo* s : stages_before(stage_info(stage))) all.push_back(s->name);
    return all;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names("pretext"), Names{});
  EXPECT_EQ(names("mine"), (Names{"pretext", "features"}));
  EXPECT_EQ(names("selflabel"), (Names{"pretext", "features", "mine", "cluster"}));
  EXPECT_EQ(names("refine"), (Names{"pretext", "features", "mine", "cluster", "selflabel"}));
  EXPECT_EQ(names("evaluate"), (Names{"pretext", "features", "mine", "cluster", "selflabel", "refine"}));
}

TEST(Provenance, RefinementReadsTheLastClustering) {
  using Files = std::vector<std::string>;
  RunConfig config;
  EXPECT_FALSE(takes_part(config, "refine"));
  EXPECT_EQ(inputs_of(config, stage_info("refine")), Files{"selflabel.safetensors"});
  config.selflabel.enabled = false;
  config.refine.enabled = true;
  EXPECT_EQ(inputs_of(config, stage_info("refine")), Files{"cluster.safetensors"});
  const Files of_evaluate = inputs_of(config, stage_info("evaluate"));
  EXPECT_EQ(std::ranges::count(of_evaluate, "selflabel.safetensors"), 0);
  EXPECT_EQ(std::ranges::count(of_evaluate, "refine.safetensors"), 1);
}

// A file of an earlier version does not say how the images were read, and then nothing is said of it.
TEST(Provenance, HowImagesWereReadIsToldWhereTheyDifferAndBothKnowIt) {
  Origin was{.data = {{"test images", "1"}, {"data.size", "0"}}},
      now{.data = {{"test images", "2"}, {"data.size", "4"}}};
  EXPECT_EQ(difference(was, now).text(), "the test images were 1, now 2 (data.size was 0, now 4)");
  was.data.erase("data.size");
  EXPECT_EQ(difference(was, now).text(), "the test images were 1, now 2");
  was.data["data.size"] = "0", was.data["test images"] = "2";
  EXPECT_FALSE(difference(was, now).any());
}

}  // namespace
}  // namespace kith
