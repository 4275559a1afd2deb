// kith sort: links or copies of pictures in a folder per cluster, and what it says of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/apps/answers_fixture.h"
#include "tests/apps/terminal.h"

namespace kith::test {
namespace {

// Folders of clusters in a sorting, as it counts them.
std::string folders_in(const fs::path& sorted) {
  const auto is_folder = [](const fs::directory_entry& e) {
    return e.is_directory() && e.path().filename() != "unsure";
  };
  const auto n = std::count_if(fs::directory_iterator(sorted), fs::directory_iterator(), is_folder);
  return std::to_string(n) + (n == 1 ? " folder" : " folders");
}

TEST_F(Answers, SortingLinksOrCopiesAndOverwritesNothing) {
  const auto rows = table(ask_files("predict").out);
  ASSERT_EQ(ask_files("sort", {"--into", path("sorted")}).status, 0);
  std::map<std::string, std::string> found;  // link to where it leads
  for (const fs::directory_entry& e : fs::recursive_directory_iterator(root_ / "sorted"))
    if (e.is_symlink())
      found[e.path().lexically_relative(root_ / "sorted").string()] = fs::read_symlink(e.path()).string();
  ASSERT_EQ(found.size(), 9u);
  for (int i = 0; i < 9; ++i) {
    std::string name = rows[i + 1][2];  // "green/ish" is one folder
    std::ranges::replace(name, '/', '_');
    EXPECT_EQ(found[rows[i + 1][1] + (name.empty() ? "" : "_" + name) + "/p" + std::to_string(i) + ".png"],
              pictures()[i]);
  }
  EXPECT_EQ(unwrapped(ask_files("sort", {"--into", path("sorted")}).out),  // again
            path("sorted") + ": 9 pictures in " + folders_in(root_ / "sorted") + "; 0 linked now, 9 there already\n");

  const fs::path taken = root_ / "sorted" / found.begin()->first;
  fs::remove(taken);
  std::ofstream(taken) << "mine";
  const Outcome o = ask_files("sort", {"--into", path("sorted")});
  EXPECT_EQ(o.status, 1);
  EXPECT_NE(o.err.find(taken.string() + ": is there already, and is not a link to "), std::string::npos) << o.err;
  EXPECT_EQ(text_of(taken), "mine");

  std::vector<std::pair<double, std::string>> sure;  // the surest five are above the limit
  for (int i = 0; i < 9; ++i) sure.emplace_back(std::stod(rows[i + 1][3]), "p" + std::to_string(i) + ".png");
  std::ranges::sort(sure);
  ASSERT_LT(sure[3].first, sure[4].first);
  const std::string limit = std::to_string((sure[3].first + sure[4].first) / 2);
  const Outcome copied = ask_files("sort", {"--into", path("copied"), "--copy", "--min-confidence", limit});
  ASSERT_EQ(copied.status, 0);
  EXPECT_NE(unwrapped(copied.out)
                .find(": 5 pictures in " + folders_in(root_ / "copied") + " and 4 in unsure, below a confidence of "),
            std::string::npos)
      << copied.out;
  EXPECT_TRUE(unwrapped(copied.out).ends_with("; 9 copied now, 0 there already\n")) << copied.out;
  EXPECT_EQ(too_wide(copied.out), "");
  EXPECT_EQ(std::distance(fs::directory_iterator(root_ / "copied" / "unsure"), {}), 4);
  EXPECT_EQ(text_of(root_ / "copied" / "unsure" / sure[0].second), text_of(root_ / "pictures" / sure[0].second));
}

TEST_F(Answers, SortingStaysInsideAndTellsFilesOfOneNameApart) {
  fs::create_directories(root_ / "twins");
  fs::copy_file(pictures()[0], root_ / "twins" / "p0.png");
  ASSERT_EQ(ask("sort", {"--into", path("both"), pictures()[0], path("twins/p0.png")}).status, 0);
  std::set<std::string> names;
  for (const fs::directory_entry& e : fs::recursive_directory_iterator(root_ / "both"))
    if (e.is_symlink()) names.insert(e.path().filename().string());
  EXPECT_EQ(names, (std::set<std::string>{"p0.png", "p0~2.png"}));

  fs::create_directories(root_ / "outside");
  fs::create_directories(root_ / "led");
  for (const fs::directory_entry& e : fs::directory_iterator(root_ / "both"))
    if (e.is_directory()) fs::create_directory_symlink(root_ / "outside", root_ / "led" / e.path().filename());
  const Outcome o = ask("sort", {"--into", path("led"), pictures()[0]});
  EXPECT_EQ(o.status, 1);
  EXPECT_NE(o.err.find("is no folder inside"), std::string::npos) << o.err;
  fs::create_directories(root_ / "led2");
  fs::create_symlink(root_ / "outside" / "record", root_ / "led2" / ".kith_sort.json");
  EXPECT_NE(ask("sort", {"--into", path("led2"), pictures()[0]}).err.find(".kith_sort.json: is no file inside"),
            std::string::npos);
  EXPECT_TRUE(fs::is_empty(root_ / "outside"));
  EXPECT_NE(ask("sort", {"--into", path("x"), "--data", "cifar-format:" + path("cifar")})
                .err.find("its images are no files of their own"),
            std::string::npos);
}

TEST_F(Answers, SortingsDoNotMix) {
  const auto entries = [&] {
    std::set<std::string> all;
    for (const fs::directory_entry& e : fs::recursive_directory_iterator(root_ / "one")) all.insert(e.path().string());
    return all;
  };
  ASSERT_EQ(ask("sort", {"--into", path("one"), pictures()[0]}).status, 0);
  const auto before = entries();
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--min-confidence", "0.5"}, "another --min-confidence"},
      {{"--stage", "cluster"}, "the network of another run or stage"}};
  for (const auto& [more, other] : cases) {
    std::vector<std::string> words = {"--into", path("one"), pictures()[1]};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome o = ask("sort", words);
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.err,
              "kith: error: --into " + path("one") + ": holds a sorting by " + other + "; expected another folder\n");
    EXPECT_EQ(entries(), before);
  }
  // A damaged record is of nobody that could be named.
  const fs::path record = root_ / "one" / ".kith_sort.json";
  const std::string whole = text_of(record);
  for (const std::string& bytes : {std::string(), whole.substr(0, whole.size() / 2), std::string("{}\n")}) {
    std::ofstream(record, std::ios::binary) << bytes;
    const Outcome o = ask("sort", {"--into", path("one"), pictures()[0]});
    EXPECT_EQ(o.status, 1) << bytes;
    EXPECT_EQ(o.err, "kith: error: " + record.string() +
                         ": damaged: expected what kith sort writes, which says whose sorting " + path("one") +
                         " holds; restore the file, or choose another --into\n");
    EXPECT_EQ(entries(), before);
  }
  std::ofstream(record, std::ios::binary) << whole;
  EXPECT_EQ(ask("sort", {"--into", path("one"), pictures()[0]}).status, 0);
}

TEST_F(Answers, APictureGivenTwiceIsSortedOnce) {
  const Outcome o =
      ask("sort", {"--into", path("twice"), pictures()[0], path("pictures/../pictures/p0.png"), pictures()[0]});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.out.find(": 1 picture in 1 folder"), std::string::npos) << o.out;
  int links = 0;
  for (const fs::directory_entry& e : fs::recursive_directory_iterator(root_ / "twice")) links += e.is_symlink();
  EXPECT_EQ(links, 1);
}

// Of three clusters one has pictures here: it is folders that are counted, and what was linked or copied goes on as it began.
TEST_F(Answers, SortingsCountFoldersAndGoOnAsTheyBegan) {
  const auto sorted = [](const char* into, std::vector<std::string> more) {
    more.insert(more.end(), {"--into", path(into), pictures()[0]});
    return ask("sort", more);
  };
  EXPECT_EQ(unwrapped(sorted("links", {}).out),
            path("links") + ": 1 picture in 1 folder; 1 linked now, 0 there already\n");
  EXPECT_EQ(unwrapped(sorted("copies", {"--copy"}).out),
            path("copies") + ": 1 picture in 1 folder; 1 copied now, 0 there already\n");
  EXPECT_EQ(unwrapped(sorted("copies", {"--copy"}).out),
            path("copies") + ": 1 picture in 1 folder; 0 copied now, 1 there already\n");
  EXPECT_EQ(unwrapped(sorted("none", {"--min-confidence", "1"}).out),
            path("none") +
                ": 0 pictures in 0 folders and 1 in unsure, below a confidence of 1; 1 linked now, 0 there "
                "already\n");
  const std::string copied = sorted("copies", {}).err, linked = sorted("links", {"--copy"}).err;
  EXPECT_TRUE(copied.ends_with("/p0.png: was copied there; with --copy the sorting goes on; nothing was written\n"))
      << copied;
  EXPECT_TRUE(linked.ends_with("/p0.png: was linked there; without --copy the sorting goes on; nothing was written\n"))
      << linked;
}

}  // namespace
}  // namespace kith::test
