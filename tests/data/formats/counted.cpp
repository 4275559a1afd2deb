#include "data/formats/counted.h"

#include <gtest/gtest.h>

namespace kith::data {
namespace {

TEST(Counted, OneIsSingular) {
  EXPECT_EQ(counted(0, "picture"), "0 pictures");
  EXPECT_EQ(counted(1, "picture"), "1 picture");
  EXPECT_EQ(counted(2, "picture"), "2 pictures");
  EXPECT_EQ(counted(1, "class", "classes"), "1 class");
  EXPECT_EQ(counted(12, "class", "classes"), "12 classes");
  EXPECT_EQ(is_or_are(1), "is");
  EXPECT_EQ(is_or_are(0), "are");
}

}  // namespace
}  // namespace kith::data
