// Lines that are too long for a terminal are broken at spaces, below the column that they are in.
#include "scan/text/wrap.h"

#include <gtest/gtest.h>

#include "scan/text/table.h"

namespace kith::test {
namespace {

TEST(Wrap, BreaksAtSpacesAndIndentsWhatFollows) {
  EXPECT_EQ(wrapped("one two three", 2, 13), "one two three");
  EXPECT_EQ(wrapped("one two three", 2, 12), "one two\n  three");
  EXPECT_EQ(wrapped("one two three four", 2, 7), "one two\n  three\n  four");
  EXPECT_EQ(wrapped("  one two", 4, 6), "  one\n    two") << "its own indentation is no word";
  EXPECT_EQ(wrapped("one   two", 2, 6), "one\n  two") << "no spaces at the end";
  EXPECT_EQ(wrapped("a considerably long word", 2, 6), "a\n  considerably\n  long\n  word");
  EXPECT_EQ(wrapped("considerably", 2, 6), "considerably");
  EXPECT_EQ(wrapped("", 2, 6), "");
}

TEST(Wrap, ABeginningIsOfWholeCharacters) {
  EXPECT_EQ(beginning_of("ab\xC3\xA9", 4), "ab\xC3\xA9");
  EXPECT_EQ(beginning_of("ab\xC3\xA9", 3), "ab...");
  EXPECT_EQ(beginning_of("ab\xC3\xA9z", 4), "ab\xC3\xA9...");
}

TEST(Table, PercentHasNoNegativeZero) {
  EXPECT_EQ(percent(-0.0004), "0.0");
  EXPECT_EQ(percent(-0.0006), "-0.1");
  EXPECT_EQ(percent(0.5), "50.0");
}

TEST(Wrap, BreaksBetweenPartsAlone) {
  EXPECT_EQ(wrapped_parts({"epoch 1", "loss 2.5", "0.1 s"}, 2, 24), "epoch 1  loss 2.5  0.1 s");
  EXPECT_EQ(wrapped_parts({"epoch 1", "loss 2.5", "0.1 s"}, 2, 23), "epoch 1  loss 2.5\n  0.1 s");
  EXPECT_EQ(wrapped_parts({"epoch 1", "loss 2.5", "0.1 s"}, 2, 10), "epoch 1\n  loss 2.5\n  0.1 s");
  EXPECT_EQ(wrapped_parts({}, 2, 10), "");
}

TEST(Wrap, KeepsToTheSecondColumn) {
  EXPECT_EQ(wrapped_columns("name   some words here\nnext\n", 16), "name   some\n       words\n       here\nnext\n");
  EXPECT_EQ(wrapped_columns("no column in this line", 12), "no column in\n  this line");
  EXPECT_EQ(wrapped_columns("      deep words follow here", 20), "      deep words\n      follow here");
  // A name as wide as its column leaves one space, which only a list has a column behind.
  EXPECT_EQ(wrapped_columns("  --name it says so here", 20, 9), "  --name it says so\n         here");
  EXPECT_EQ(wrapped_columns("  --name it says so here", 20), "  --name it says so\n    here");
}

TEST(Wrap, NotesGoOnTwoRightOfTheirBeginning) {
  const std::string words(79, 'x');
  EXPECT_EQ(wrapped_note(words + " end"), words + "\n  end");
  EXPECT_EQ(wrapped_note("  " + words + " end"), "  " + words + "\n    end");
  EXPECT_EQ(wrapped_note(words + " a table\n  of two lines"), words + " a table\n  of two lines");
  EXPECT_EQ(wrapped_note(""), "");
}

}  // namespace
}  // namespace kith::test
