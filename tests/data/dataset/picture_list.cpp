#include "data/dataset/picture_list.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "tests/data/dataset/picture_files.h"

namespace kith {
namespace {

using data::Dataset;
using test::error_of;
using PictureLists = test::PictureFolder;
using Names = std::vector<std::string>;

TEST_F(PictureLists, ListsHavePathsAndLabels) {
  put("p/a b.png", 10);
  put("q.png", 20);
  text("list.txt", "p/a b.png\tbig dog\n" + (root / "q.png").string() + "\tant\nq.png\tant\n");
  const Dataset set = load({}, "list:", "list.txt");
  EXPECT_EQ(set.class_names, (Names{"ant", "big dog"}));
  EXPECT_EQ(set.train().labels, (std::vector<int32_t>{1, 0, 0}));
  EXPECT_EQ(set.train().pixels[0], 10);
  EXPECT_EQ(set.train().pixels[24], 20);
  text("numbers.csv", "\"p/a b.png\",10\nq.png,9\n");
  EXPECT_EQ(load({}, "list:", "numbers.csv").class_names, (Names{"9", "10"}));
  text("plain.txt", "q.png\np/a b.png\n");
  EXPECT_FALSE(load({}, "list:", "plain.txt").train().labelled());
}

// "q.png, ant" and "q.png,ant" are written by the same people.
TEST_F(PictureLists, BlanksBeforeALabelMakeNoOtherClass) {
  put("p.png"), put("q.png"), put("r.png");
  text("list.csv", "p.png, ant\nq.png,ant\nr.png,  \"ant, big\"\n");
  EXPECT_EQ(load({}, "list:", "list.csv").class_names, (Names{"ant", "ant, big"}));
  text("list.txt", "p.png\t ant\nq.png\tant\nr.png\tant \n");
  EXPECT_EQ(load({}, "list:", "list.txt").class_names, (Names{"ant"}));
}

TEST_F(PictureLists, FaultsOfListsAreNamedByLine) {
  put("q.png");
  const auto fault = [&](const std::string& content) {
    text("list.txt", content);
    return error_of([&] { load({}, "list:", "list.txt"); });
  };
  EXPECT_HAS(fault("q.png\ta\nq.png\n"), "list.txt:2: has no label, and line 1 has one");
  EXPECT_HAS(fault("q.png\nq.png\ta\n"), "list.txt:2: has a label, and line 1 has none");
  EXPECT_HAS(fault("q.png\ta\tb\n"),
             "list.txt:1: expected a path, or a path and a label with a tab between, found 3 fields");
  EXPECT_HAS(fault("q.png\ta\nq.png\tb\n"), "has the label b here and a before");
  EXPECT_HAS(fault("q.png\nq.png a\n"), "q.png a: no such file");
  EXPECT_HAS(fault(""), "list.txt:1: is empty; expected the path of a picture on each line");
  EXPECT_HAS(fault("path\tlabel\nq.png\ta\n"), "list.txt:1: path is no picture file; expected a path on each line");
  text("list.csv", "q.png,a\n\"q.png,a\n");
  EXPECT_HAS(error_of([&] { load({}, "list:", "list.csv"); }),
             "list.csv:2: a quote is opened and not closed; expected \"...\" around a path or label that holds a comma");
  EXPECT_HAS(error_of([&] { load({.classes_file = "x"}, "list:", "list.txt"); }),
             "data.classes_file names folders of folder:DIR");
}

}  // namespace
}  // namespace kith
