#include "scan/config/field_help.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "data/dataset/pictures.h"
#include "kernels/core/check.h"
#include "scan/config/config_fields.h"
#include "tests/scan/stages/stages_support.h"

namespace kith::test {
namespace {

TEST(FieldHelp, EveryFieldHasALine) {
  RunConfig config;
  for (const Field& field : fields(config)) {
    EXPECT_NO_THROW(EXPECT_FALSE(field_help(field.name).empty()) << field.name);
    EXPECT_EQ(field_help(field.name).find('\n'), std::string_view::npos);
  }
  EXPECT_THROW(field_help("pretext.speed"), Error);
  EXPECT_EQ(field_help("cluster.statistics"), field_help("refine.statistics"));
  EXPECT_NE(field_help("pretext.statistics"), field_help("cluster.statistics"));  // fewer choices
}

TEST(FieldHelp, ShowsAFieldASectionOrAll) {
  EXPECT_EQ(fields_text("cluster.lambda"),
            "cluster.lambda                     5.0            a number, at least 0\n"
            "    weight of the entropy of the mean prediction, which keeps clusters from\n"
            "    emptying\n");
  const std::string optimizer = fields_text("cluster.optimizer");
  EXPECT_EQ(optimizer.find("cluster.optimizer.kind"), 0u);
  EXPECT_EQ(optimizer.find("pretext"), std::string::npos);
  EXPECT_EQ(fields_text("cluster.optimizer."), optimizer);
  EXPECT_EQ(fields_text("lambda").find("cluster.lambda"), 0u);
  RunConfig config;
  std::istringstream lines(fields_text(""));
  size_t named = 0;
  for (std::string line; std::getline(lines, line); named += line[0] != ' ' ? 1 : 0)
    EXPECT_LE(line.size(), 80u) << line;
  EXPECT_EQ(named, fields(config).size());
  const auto refused = [](const std::string& asked) { return error_of([&] { fields_text(asked); }); };
  const std::string sections =
      "; sections are data, model, pretext, mine, cluster, selflabel, refine, evaluate, and parts of them, such as "
      "cluster.optimizer";
  EXPECT_EQ(refused("cluster.lamda"), "no field or section cluster.lamda; the nearest is cluster.lambda" + sections);
  EXPECT_EQ(refused("clutser"), "no field or section clutser; the nearest is cluster" + sections);
  EXPECT_EQ(refused("lamda"), "no field or section lamda; the nearest is lambda" + sections);
  EXPECT_EQ(refused("nothing of the kind"), "no field or section nothing of the kind" + sections);
  EXPECT_NE(field_help("data.size").find("folder: and list: want 1 to " + std::to_string(data::kLargestPicture)),
            std::string::npos);
}

}  // namespace
}  // namespace kith::test
