#include "data/dataset/folder_parts.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/data/dataset/picture_files.h"

namespace kith {
namespace {

using test::error_of;

using FolderParts = test::PictureFolder;

TEST_F(FolderParts, PartsOfADataSetAreNoClasses) {
  const std::string spec = "folder:" + root.string();
  const auto refusal = [&](const std::string& classes_file = "") {
    return error_of([&] { data::expect_no_parts(spec, classes_file); });
  };
  EXPECT_EQ(refusal(), "");  // no such folder, which its reader says
  put("Train/cat/1.png");
  EXPECT_EQ(refusal(), spec + ": Train is a part of a data set, and would be taken for a class; --data " + spec +
                           "/Train learns from the classes in one");
  put("test/cat/1.png");
  put("Train/1.png");
  EXPECT_EQ(refusal(), spec + ": Train, test are parts of a data set, and would be taken for classes; --data " + spec +
                           "/Train learns from the classes in one, and kith predict --data " + spec +
                           "/test asks about another");
  EXPECT_EQ(refusal("classes.txt"), "");
  EXPECT_EQ(error_of([&] { data::expect_no_parts("list:" + root.string(), ""); }), "");
  put("extra/1.png");
  EXPECT_EQ(refusal(),
            spec + ": Train, test are parts of a data set, and would be taken for classes; --data " + spec +
                "/Train learns from the classes in one, and kith predict --data " + spec +
                "/test asks about another; where they are classes like extra beside them, name all of them in "
                "a file (data.classes_file)");
  EXPECT_EQ(refusal("classes.txt"), "");
  std::filesystem::remove_all(root / "test");  // vehicles
  EXPECT_EQ(refusal(), "");
}

}  // namespace
}  // namespace kith
