// kith graph and kith mine --neighbours: neighbour lists out of a run as a graph, and others' lists into one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <sstream>

#include "data/formats/csr.h"
#include "data/formats/npy.h"
#include "tests/apps/run_fixture.h"
#include "tests/apps/terminal.h"

namespace kith::test {
namespace {

class Graphs : public Runs {
 protected:
  std::string path(const std::string& name) const { return (root_ / name).string(); }
  Outcome graph(std::vector<std::string> more) const {
    more.insert(more.begin(), "graph");
    return kith(more);
  }
  data::NpyArray<int64_t> lists(const std::string& split = "train") const {
    return data::read_npy<int64_t>(root_ / "a" / ("neighbours_" + split + ".npy"));
  }
  Outcome mine(const std::string& file, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"--neighbours", path(file)};
    words.insert(words.end(), more.begin(), more.end());
    return kith(command("mine", "a", words));
  }
  // The one line of a command that fails and leaves the lists as they are.
  std::string refused(const std::string& file) const {
    const std::string before = text_of(root_ / "a" / "neighbours_train.npy");
    const Outcome o = mine(file, {"--quiet"});
    EXPECT_EQ(o.status, 1) << o.err;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
    EXPECT_TRUE(text_of(root_ / "a" / "neighbours_train.npy") == before);
    return o.err;
  }
  // Every row names the next one; `change` is free to do more.
  data::NpyArray<int64_t> ring(int64_t k) const {
    data::NpyArray<int64_t> a{.shape = {200, k}, .values = std::vector<int64_t>(static_cast<size_t>(200 * k), -1)};
    for (int64_t i = 0; i < 200; ++i) a.values[static_cast<size_t>(i * k)] = (i + 1) % 200;
    return a;
  }
};

TEST_F(Graphs, OfARunWhoseRowsHaveChangedHaveNoSimilarities) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const std::string rows = path("a/features_train.npy");
  auto changed = data::read_npy<float>(rows);
  std::ranges::reverse(changed.values);
  data::write_npy<float>(rows, changed.values, changed.shape);
  const Outcome o = graph({"--run", path("a"), "--out", path("g.npz")});
  EXPECT_EQ(o.status, 1) << o.out;
  EXPECT_NE(o.err.find(rows + ": changed since neighbours_train.npy was made of it"), std::string::npos) << o.err;
  EXPECT_EQ(graph({"--run", path("a"), "--split", "test", "--out", path("g.npz")}).status, 0);
  ASSERT_EQ(kith(command("mine", "a", {"--quiet"})).status, 0);  // of rows of others, with a warning
  const Outcome mined = graph({"--run", path("a"), "--out", path("g.npz")});
  EXPECT_EQ(mined.status, 0);
  EXPECT_EQ(mined.err, "");
  // Other lists than the run found are used, and called so.
  auto lists = data::read_npy<int64_t>(path("a/neighbours_train.npy"));
  std::swap(lists.values.front(), lists.values[1]);
  data::write_npy<int64_t>(path("a/neighbours_train.npy"), lists.values, lists.shape);
  const Outcome others = graph({"--run", path("a"), "--out", path("g.npz")});
  EXPECT_EQ(others.status, 0);
  EXPECT_NE(others.err.find("neighbours_train.npy: not what the stage mine made; used as it is"), std::string::npos)
      << others.err;
}

TEST_F(Graphs, OfARunHaveItsListsAndInnerProducts) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  for (const std::string split : {"train", "test"}) {
    ASSERT_EQ(graph({"--run", path("a"), "--split", split, "--out", path("g.npz")}).status, 0);
    ASSERT_EQ(graph({"--run", path("a"), "--split", split, "--out", path("g.csv")}).status, 0);
    const data::CsrGraph g = data::read_csr(path("g.npz"));
    const auto want = lists(split);
    const auto rows = data::read_npy<float>(root_ / "a" / ("features_" + split + ".npy"));
    EXPECT_EQ(g.rows, want.shape[0]);
    EXPECT_EQ(g.columns, want.shape[0]);
    EXPECT_EQ(g.indices, want.values);
    const auto k = static_cast<size_t>(want.shape[1]);
    std::istringstream csv(text_of(path("g.csv")));
    std::string line;
    std::getline(csv, line);
    EXPECT_EQ(line, "source,target,similarity");
    for (size_t e = 0; e < g.indices.size(); ++e) {
      const size_t i = e / k, j = static_cast<size_t>(g.indices[e]);
      EXPECT_EQ(g.starts[i], static_cast<int64_t>(i * k));
      double sum = 0;
      for (size_t c = 0; c < 16; ++c) sum += double{rows.values[16 * i + c]} * double{rows.values[16 * j + c]};
      EXPECT_EQ(g.values[e], static_cast<double>(static_cast<float>(sum)));
      EXPECT_LE(g.values[e], g.values[e % k > 0 ? e - 1 : e]);
      std::getline(csv, line);
      EXPECT_TRUE(line.starts_with(std::to_string(i) + "," + std::to_string(j) + ",")) << line;
      EXPECT_EQ(std::strtof(line.c_str() + line.rfind(',') + 1, nullptr), static_cast<float>(g.values[e]));
    }
  }
}

TEST_F(Graphs, OfARunComeBackAsTheSameLists) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const std::string train = text_of(root_ / "a" / "neighbours_train.npy"),
                    test = text_of(root_ / "a" / "neighbours_test.npy");
  ASSERT_EQ(graph({"--run", path("a"), "--out", path("g.npz")}).status, 0);
  ASSERT_EQ(mine("g.npz").status, 0);
  const auto sorted = [](data::NpyArray<int64_t> a) {  // equal f32 values go by index
    for (int64_t i = 0; i < a.shape[0]; ++i)
      std::sort(a.values.begin() + i * a.shape[1], a.values.begin() + (i + 1) * a.shape[1]);
    return a.values;
  };
  const auto back = sorted(lists());
  std::ofstream(root_ / "first.npy", std::ios::binary) << train;
  EXPECT_EQ(back, sorted(data::read_npy<int64_t>(root_ / "first.npy")));
  EXPECT_TRUE(text_of(root_ / "a" / "neighbours_test.npy") == test);
}

// The lists stay until they are mined again by name, with a warning in each command that uses them.
TEST_F(Graphs, OfOthersAreUsedByLaterStages) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const std::string mined = text_of(root_ / "a" / "neighbours_train.npy");
  auto given = ring(3);
  given.values[0] = -1, given.values[1] = 7, given.values[2] = 7;  // none before, and one twice
  given.values[3] = -1;                                            // row 1 has none
  given.values[6] = 2, given.values[7] = 5;                        // row 2 is its own first
  data::write_npy<int64_t>(path("own.npy"), given.values, given.shape);
  const Outcome o = mine("own.npy");
  ASSERT_EQ(o.status, 0) << o.err;
  for (const char* note : {": 1 image was among its own neighbours", ": 1 neighbour was named again",
                           ": 1 image has no neighbour: it pairs with itself", "share the label"})
    EXPECT_NE(unwrapped(o.err).find(note), std::string::npos) << note << o.err;
  auto want = ring(1).values;
  want[0] = 7, want[1] = -1, want[2] = 5;
  EXPECT_EQ(lists().shape, (std::vector<int64_t>{200, 1}));
  EXPECT_EQ(lists().values, want);

  const Outcome given_again = mine("own.npy");  // the stage wrote the file itself
  EXPECT_EQ(given_again.err.find("replaced"), std::string::npos) << given_again.err;
  EXPECT_EQ(lists().values, want);
  std::swap(want[10], want[11]);  // by hand
  data::write_npy<int64_t>(path("a/neighbours_train.npy"), want, {200, 1});
  const Outcome by_hand = mine("own.npy");
  EXPECT_NE(by_hand.err.find("neighbours_train.npy: not what the stage mine made; replaced"), std::string::npos)
      << by_hand.err;
  std::swap(want[10], want[11]);
  EXPECT_EQ(lists().values, want);

  const Outcome again = run("a", {"--set", "mine.k=4"});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("neighbours_train.npy: not what the stage mine made; used as it is"), std::string::npos)
      << again.err;
  EXPECT_NE(again.err.find("cluster: runs again: neighbours_train.npy has changed"), std::string::npos) << again.err;
  EXPECT_EQ(lists().values, want);
  const Outcome searched = kith(command("mine", "a", {"--set", "mine.k=5"}));
  ASSERT_EQ(searched.status, 0) << searched.err;
  EXPECT_NE(searched.err.find("neighbours_train.npy: not what the stage mine made; replaced"), std::string::npos);
  EXPECT_TRUE(text_of(root_ / "a" / "neighbours_train.npy") == mined);
}

// Whatever the width, the kind and the order in which it is written.
TEST_F(Graphs, OfOneMeaningMakeOneFile) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const auto given = ring(2);
  std::vector<int32_t> narrow(given.values.begin(), given.values.end());
  std::vector<float> floats(given.values.begin(), given.values.end());
  data::write_npy<int64_t>(path("i8.npy"), given.values, given.shape);
  data::write_npy<int32_t>(path("i4.npy"), narrow, given.shape);
  data::write_npy<float>(path("f4.npy"), floats, given.shape);
  data::CsrGraph g{.rows = 200, .columns = 200, .starts = {0}, .indices = {}, .values = {}};
  for (int64_t i = 0; i < 200; ++i) {
    g.indices.insert(g.indices.end(), {0, (i + 1) % 200});
    g.values.insert(g.values.end(),
                    {std::numeric_limits<double>::quiet_NaN(), 0.0});  // padding, and a zero that counts
    g.starts.push_back(2 * (i + 1));
  }
  data::write_csr(path("g.npz"), g);
  for (const char* file : {"i8.npy", "i4.npy", "f4.npy", "g.npz"}) {
    ASSERT_EQ(mine(file, {"--quiet"}).status, 0) << file;
    EXPECT_EQ(lists().values, ring(1).values) << file;
  }
  EXPECT_NE(unwrapped(mine("g.npz").err).find("g.npz: 200 neighbours have no similarity (NaN) and are left out\n"),
            std::string::npos);
  // By value, then by index; the row itself is there where it may be.
  g = {.rows = 200, .columns = 200, .starts = {0}, .indices = {}, .values = {}};
  for (int64_t i = 0; i < 200; ++i) {
    g.indices.insert(g.indices.end(), {(i + 3) % 200, i, (i + 2) % 200, (i + 1) % 200});
    g.values.insert(g.values.end(), {0.5, 0.0, 0.5, 0.75});
    g.starts.push_back(4 * (i + 1));
  }
  data::write_csr(path("g.npz"), g);
  ASSERT_EQ(mine("g.npz", {"--quiet", "--set", "mine.include_self=true"}).status, 0);
  const auto got = lists();
  EXPECT_EQ(got.shape, (std::vector<int64_t>{200, 4}));
  EXPECT_EQ((std::vector<int64_t>{got.values.begin() + 40, got.values.begin() + 44}),
            (std::vector<int64_t>{11, 12, 13, 10}));
}

TEST_F(Graphs, MistakesAreOneLine) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const auto file = [&](int64_t value, std::vector<int64_t> shape = {200, 2}) {
    auto given = ring(2);
    given.values[2 * 17 + 1] = value;
    data::write_npy<int64_t>(path("own.npy"), given.values, shape);
    return refused("own.npy");
  };
  EXPECT_NE(file(200).find("own.npy: row 17 has the neighbour 200, expected 0 to 199, or -1: none"), std::string::npos);
  EXPECT_NE(file(-2).find("own.npy: row 17 has the neighbour -2"), std::string::npos);
  EXPECT_NE(file(3, {100, 4}).find("shape [100, 4], expected [200, k]: a row for each image"), std::string::npos);
  EXPECT_NE(file(3, {400}).find("shape [400], expected [200, k]"), std::string::npos);
  data::write_npy<float>(path("half.npy"), std::vector<float>(200, 0.5f), {200, 1});
  EXPECT_NE(refused("half.npy").find("half.npy: row 0 has the neighbour 0.5, expected a whole number, or -1: none"),
            std::string::npos);
  data::write_npy<int64_t>(path("none.npy"), std::vector<int64_t>(200, -1), {200, 1});
  EXPECT_NE(refused("none.npy").find("none.npy: no row has a neighbour"), std::string::npos);
  std::ofstream(root_ / "own.txt") << "0 1\n";
  EXPECT_NE(refused("own.txt").find("own.txt: expected a name ending in .npy or .npz"), std::string::npos);
  EXPECT_EQ(mine("own.npy", {"--features", path("own.npy")}).status, 2);

  // Lists that were written by hand are used; where they cannot be, that is all that is said.
  auto beyond = lists();
  beyond.values[5] = 200;
  data::write_npy<int64_t>(root_ / "a" / "neighbours_train.npy", beyond.values, beyond.shape);
  EXPECT_EQ(graph({"--run", path("a"), "--out", path("g.npz")}).err,
            "kith: error: " + path("a/neighbours_train.npy") +
                ": row 1 has the neighbour 200, expected 0 to 199, or -1: none\n");
  // A neighbour after the end of its list is found by the stage that reads them.
  auto given = ring(2);
  given.values[0] = -1, given.values[1] = 5;
  data::write_npy<int64_t>(root_ / "a" / "neighbours_train.npy", given.values, given.shape);
  EXPECT_NE(kith(command("cluster", "a", {"--quiet"})).err.find("row 0 has the neighbour 5 after -1"),
            std::string::npos);

  const auto error = [&](std::vector<std::string> words) {
    const Outcome o = graph(words);
    EXPECT_EQ(o.status, 1) << o.err;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
    return o.err;
  };
  EXPECT_NE(error({"--run", path("none"), "--out", path("g.npz")}).find("none: no run directory"), std::string::npos);
  EXPECT_NE(error({"--run", path("a"), "--out", path("g.txt")}).find("expected a name ending in .npz or .csv"),
            std::string::npos);
  const Outcome of_nothing = graph({"--out", path("g.npz")});
  EXPECT_EQ(of_nothing.status, 2);
  EXPECT_EQ(of_nothing.err, "kith: error: --run or --neighbours is required (kith graph --help)\n");
}

// Keys of 0 with a similarity of NaN are what usearch writes where it found too few.
TEST_F(Graphs, OfArraysLeaveOutWhatIsNone) {
  fs::create_directories(root_);
  const float none = std::numeric_limits<float>::quiet_NaN();
  data::write_npy<int32_t>(path("i.npy"), std::vector<int32_t>{1, 2, 0, 0, -1, 1}, {3, 2});
  data::write_npy<float>(path("s.npy"), std::vector<float>{0.5f, 0, 0.25f, none, 1, 0.125f}, {3, 2});
  ASSERT_EQ(graph({"--neighbours", path("i.npy"), "--scores", path("s.npy"), "--out", path("g.npz")}).status, 0);
  const data::CsrGraph g = data::read_csr(path("g.npz"));
  EXPECT_EQ(g.starts, (std::vector<int64_t>{0, 2, 3, 4}));
  EXPECT_EQ(g.indices, (std::vector<int64_t>{1, 2, 0, 1}));
  EXPECT_EQ(g.values, (std::vector<double>{0.5, 0, 0.25, 0.125}));
  EXPECT_EQ(graph({"--neighbours", path("i.npy"), "--out", path("g.npz")}).status, 2);
  data::write_npy<float>(path("s.npy"), std::vector<float>(6), {2, 3});
  EXPECT_NE(graph({"--neighbours", path("i.npy"), "--scores", path("s.npy"), "--out", path("h.npz")})
                .err.find("s.npy: shape [2, 3], but [3, 2] of "),
            std::string::npos);
  data::write_npy<int32_t>(path("i.npy"), std::vector<int32_t>{1, 2, 2, 2, -1, -1},
                           {3, 2});  // which SciPy would add up
  data::write_npy<float>(path("s.npy"), std::vector<float>(6), {3, 2});
  EXPECT_EQ(graph({"--neighbours", path("i.npy"), "--scores", path("s.npy"), "--out", path("h.npz")}).err,
            "kith: error: " + path("i.npy") + ": row 1 has the neighbour 2 twice; expected each once\n");
}

// 0 lists 1 and 2, 1 lists 2, 2 lists 0: only 0 and 2 list each other.
TEST_F(Graphs, InBothDirections) {
  fs::create_directories(root_);
  const float none = std::numeric_limits<float>::quiet_NaN();
  data::write_npy<int32_t>(path("i.npy"), std::vector<int32_t>{1, 2, 2, 0, 0, -1}, {3, 2});
  data::write_npy<float>(path("s.npy"), std::vector<float>{0.5f, 0.75f, 0.125f, none, 0.25f, 1}, {3, 2});
  const auto formed = [&](const std::string& form) {
    EXPECT_EQ(graph({"--neighbours", path("i.npy"), "--scores", path("s.npy"), "--form", form, "--out", path("g.npz")})
                  .status,
              0);
    return data::read_csr(path("g.npz"));
  };
  const data::CsrGraph symmetric = formed("symmetric"), mutual = formed("mutual");
  EXPECT_EQ(symmetric.starts, (std::vector<int64_t>{0, 2, 4, 6}));
  EXPECT_EQ(symmetric.indices, (std::vector<int64_t>{1, 2, 0, 2, 0, 1}));
  EXPECT_EQ(symmetric.values, (std::vector<double>{0.5, 0.75, 0.5, 0.125, 0.75, 0.125}));
  EXPECT_EQ(mutual.starts, (std::vector<int64_t>{0, 1, 1, 2}));
  EXPECT_EQ(mutual.indices, (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(mutual.values, (std::vector<double>{0.25, 0.25}));
  EXPECT_EQ(formed("listed").indices, (std::vector<int64_t>{1, 2, 2, 0}));
  EXPECT_EQ(graph({"--neighbours", path("i.npy"), "--scores", path("s.npy"), "--form", "both", "--out", path("h.npz")})
                .status,
            2);
}

}  // namespace
}  // namespace kith::test
