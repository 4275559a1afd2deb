#include "scan/config/field_help.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/dataset/pictures.h"
#include "kernels/core/check.h"
#include "scan/config/config_fields.h"

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
            "    weight of the entropy of the mean prediction, which keeps clusters from emptying\n");
  const std::string optimizer = fields_text("cluster.optimizer");
  EXPECT_EQ(optimizer.find("cluster.optimizer.kind"), 0u);
  EXPECT_EQ(optimizer.find("pretext"), std::string::npos);
  EXPECT_EQ(fields_text("cluster.optimizer."), optimizer);
  EXPECT_EQ(fields_text("lambda").find("cluster.lambda"), 0u);
  RunConfig config;
  EXPECT_EQ(static_cast<size_t>(std::ranges::count(fields_text(""), '\n')), 2 * fields(config).size());
  try {
    fields_text("cluster.lamda");
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_TRUE(
        std::string(e.what()).starts_with("no field or section cluster.lamda; the nearest field is cluster.lambda;"))
        << e.what();
  }
  EXPECT_NE(field_help("data.size").find("folder: and list: want 1 to " + std::to_string(data::kLargestPicture)),
            std::string::npos);
}

}  // namespace
}  // namespace kith::test
