// Commands that ask a run: ended before they were done, or asked about what is no file.
#include <signal.h>

#include "tests/apps/answers_fixture.h"

namespace kith::test {
namespace {

// Nothing is half way saved: there is nothing to announce, and the program ends as others do.
TEST_F(Answers, CtrlCEndsThemAtOnce) {
  std::vector<std::string> words = {"predict", "--run", path("run"), "--out", path("never.csv")};
  words.insert(words.end(), 3000, pictures()[0]);
  const Outcome o = kith(words, {.signal = SIGINT, .after_ms = 400});
  if (o.status == 0) GTEST_SKIP() << "it was done before it could be interrupted";
  EXPECT_EQ(o.status, 128 + SIGINT);
  EXPECT_EQ(o.err, "");
  EXPECT_FALSE(fs::exists(root_ / "never.csv"));
}

TEST_F(Answers, WhatIsNoFileIsSaidWithWhatWasMeant) {
  EXPECT_EQ(ask("predict", {"nowhere.png"}).err, "kith: error: nowhere.png: no such file\n");
  EXPECT_EQ(ask("predict", {pictures()[0], path("pictures")}).err,
            "kith: error: " + path("pictures") + ": is a folder; --data folder:" + path("pictures") +
                " asks about the pictures in it\n");
  EXPECT_EQ(ask("predict", {"folder:" + path("pictures")}).err,
            "kith: error: folder:" + path("pictures") + ": no such file; a data set goes behind --data\n");
}

TEST_F(Answers, AGalleryThatWasCutOffIsMadeAnew) {
  fs::create_directory(root_ / "cut");
  std::ofstream(root_ / "cut" / "cluster_0.png") << "half";
  std::ofstream(root_ / "cut" / "index.html.partial") << "<html";
  ASSERT_EQ(ask_files("gallery", {"--out", path("cut")}).status, 0);
  EXPECT_NE(text_of(root_ / "cut" / "cluster_0.png"), "half");
  EXPECT_FALSE(fs::exists(root_ / "cut" / "index.html.partial"));
}

}  // namespace
}  // namespace kith::test
