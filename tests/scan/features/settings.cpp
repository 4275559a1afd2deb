// Settings of a clustering of rows as run.json keeps them: what could not have been asked for is not read.
#include "scan/features/settings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace kith::test {
namespace {

RowSettings asked() {
  return resolve({.method = "temi", .clusters = "5,10", .unit = {}, .standardised = {}, .overrides = {}});
}

TEST(RowSettingsOfAFile, AreThoseThatWereWritten) {
  const nlohmann::json written = to_json(asked());
  EXPECT_EQ(to_json(row_settings_from(nlohmann::json::parse(written.dump()))), written);
}

TEST(RowSettingsOfAFile, AreNoneThatCouldNotBeAskedFor) {
  for (const auto& [at, value] : {std::pair("/clusters", "[]"),
                                  {"/clusters/0", "1"},
                                  {"/clusters/0", "5.5"},
                                  {"/clusters/0", "4294967301"},  // 5 in 32 bits
                                  {"/clusters/0", "1018446744073709551616"},
                                  {"/seed", "-3"},
                                  {"/seed", "36893488147419103232"},
                                  {"/values/epochs", "-1"},
                                  {"/values/epochs", "1.5"},
                                  {"/values/epocks", "5"},
                                  {"/method", "\"temy\""},
                                  {"/normalize", "1"}}) {
    nlohmann::json file = to_json(asked());
    file[nlohmann::json::json_pointer(at)] = nlohmann::json::parse(value);
    EXPECT_THROW(row_settings_from(file), std::exception) << at << " " << value;
  }
  nlohmann::json less = to_json(asked());
  less["values"].erase("epochs");
  EXPECT_THROW(row_settings_from(less), std::exception);
}

}  // namespace
}  // namespace kith::test
