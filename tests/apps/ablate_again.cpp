// kith ablate over runs that have finished: images, weights and paths that have changed since.
#include <string>
#include <vector>

#include "tests/apps/ablate_fixture.h"
#include "tests/apps/in_folder.h"
#include "tests/apps/terminal.h"
#include "tests/support/flipped.h"

namespace kith::test {
namespace {

// Means are of runs on the same images: those that have finished are not put beside others on what lies there by now.
TEST_F(Ablate, ImagesThatHaveChangedSinceRunsFinishedAreRefused) {
  grid("mine.k = [3]\n", "[0]");
  ASSERT_EQ(ablate().status, 0);
  const std::string table = text_of(root_ / "out" / "table.csv");
  write_tiny_fashion_mnist(root_ / "data", 210, 60, 8);
  const Outcome known = ablate();  // nothing is to run
  EXPECT_EQ(known.status, 0);
  EXPECT_NE(known.err.find("kith: warning: mine.k = 3, seed 0: finished on other images than those that are there now "
                           "(the train images were 200 of 8 x 8 x 1, "),
            std::string::npos)
      << known.err;
  grid("mine.k = [3]\n");
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--dry-run"}, {}}) {
    const Outcome o = ablate(more);
    EXPECT_EQ(o.status, 1);
    EXPECT_NE(o.err.find("mine.k = 3, seed 0: finished on other images than those that are there now (the train images "
                         "were 200 of 8 x 8 x 1, "),
              std::string::npos)
        << o.err;
  }
  EXPECT_EQ(text_of(root_ / "out" / "table.csv"), table);
  EXPECT_EQ(cells().size(), 1u);
}

// What kith run would train again, or refuse, in a cell, it does so there in a grid, too.
TEST_F(Ablate, WeightsOfFinishedCellsThatAreGoneOrOthersAreNoticed) {
  grid("mine.k = [3, 5]\n", "[0]");
  ASSERT_EQ(ablate().status, 0);
  const fs::path file = cells()[0] / "cluster.safetensors";
  const std::string bytes = text_of(file), table = text_of(root_ / "out" / "table.csv");
  fs::remove(file);
  EXPECT_NE(ablate({"--dry-run"}).out.find("2 runs, 1 done earlier"), std::string::npos);
  const Outcome again = ablate();
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("1 of 2 runs have finished earlier"), std::string::npos) << again.err;
  EXPECT_TRUE(text_of(file) == bytes);
  EXPECT_EQ(text_of(root_ / "out" / "table.csv"), table);

  flip_bit(file);
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--dry-run"}, {}}) {
    const Outcome o = ablate(more);
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.err, "kith: error: " + file.string() +
                         ": not the bytes that the stage cluster wrote: damaged, or changed by hand; restore it, or "
                         "remove it, and the same command trains that stage again\n");
  }
  EXPECT_EQ(text_of(root_ / "out" / "table.csv"), table);
}

// As a finished run does it: what the evaluation wrote is written again, and nothing is trained.
TEST_F(Ablate, WhatTheEvaluationOfACellWroteIsMadeAgain) {
  grid("mine.k = [3]\n", "[0]");
  ASSERT_EQ(ablate().status, 0);
  const fs::path cell = cells()[0];
  const std::string table = text_of(root_ / "out" / "table.csv");
  const auto trained = fs::last_write_time(cell / "selflabel.safetensors");
  const std::vector<std::string> names = {"report.html",  "confusion.csv", "prototypes.png", "near_duplicates.csv",
                                          "outliers.csv", "timing.json",   "metrics.jsonl",  "prototypes.npy"};
  const auto planned = [&] { return unwrapped(ablate({"--dry-run"}).out); };
  EXPECT_NE(planned().find("mine.k = 3, seed 0: done earlier\n"), std::string::npos) << planned();
  for (const std::string& name : names) fs::remove(cell / name);
  std::ofstream(cell / "assignments.npy") << "";
  EXPECT_NE(planned().find("mine.k = 3, seed 0, begun earlier, runs evaluate, at most: "), std::string::npos)
      << planned();
  ASSERT_EQ(ablate().status, 0);
  for (const std::string& name : names) EXPECT_TRUE(fs::exists(cell / name)) << name;
  EXPECT_EQ(text_of(root_ / "out" / "table.csv"), table);
  EXPECT_EQ(fs::last_write_time(cell / "selflabel.safetensors"), trained);
  EXPECT_NE(text_of(cell / "report.html").find("<dt>Log</dt>"), std::string::npos);  // lines of training stay lost
  EXPECT_NE(planned().find("1 run, 1 done earlier"), std::string::npos) << planned();
}

// What a run of a cell would refuse, or make again, its dry run tells, too.
TEST_F(Ablate, ADryRunLooksAtTheFilesOfCells) {
  grid("mine.k = [3, 5]\n", "[0]");
  ASSERT_EQ(ablate().status, 0);
  const fs::path cell = cells()[0];
  const std::string table = text_of(root_ / "out" / "table.csv");
  const auto write = [](const fs::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
  };
  const auto refused = [&] {
    const Outcome dry = ablate({"--dry-run", "--quiet"}), o = ablate({"--quiet"});
    EXPECT_EQ(dry.status, 1) << dry.out;
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(dry.err, o.err);
    EXPECT_EQ(text_of(root_ / "out" / "table.csv"), table);
    return o.err;
  };
  for (const auto& [name, command] : {std::pair("features_train.npy", "pretext"), {"neighbours_test.npy", "mine"}})
    for (const bool finished : {true, false}) {
      const std::string bytes = text_of(cell / name), summary = text_of(cell / "summary.json");
      write(cell / name, "");
      if (!finished) fs::remove(cell / "summary.json");
      const std::string line = refused(), remedy = std::string(" or kith ") + command + ", makes it anew\n";
      EXPECT_TRUE(line.starts_with("kith: error: " + std::string(finished ? "" : "mine.k = 3, seed 0: ") +
                                   (cell / name).string() + ": ") &&
                  line.ends_with(remedy))
          << line;
      write(cell / name, bytes), write(cell / "summary.json", summary);
    }
  fs::remove(cell / "neighbours_test.npy");
  const std::string plan = unwrapped(ablate({"--dry-run"}).out);
  EXPECT_NE(plan.find("mine.k = 3, seed 0, begun earlier, runs mine, evaluate (mine again: neighbours_test.npy is "
                      "missing), at most: "),
            std::string::npos)
      << plan;
  ASSERT_EQ(ablate().status, 0);
  EXPECT_EQ(text_of(root_ / "out" / "table.csv"), table);

  // What is taken over comes with its log, and a run of the cell that has it would be refused.
  for (const fs::path& of : cells()) write(of / "metrics.jsonl", "[]\n" + text_of(of / "metrics.jsonl"));
  grid("mine.k = [3, 5, 6]\n", "[0]");
  const std::string line = "kith: error: " + (cell / "metrics.jsonl").string() +
                           ":1: expected one JSON object; restore the file, or take the line out to go on\n";
  EXPECT_EQ(refused(), line);
  EXPECT_EQ(kith({"run", "--out", cell.string()}).err, line);
}

// As kith run on the same folder does: in a line of each cell, or by refusing it.
TEST_F(Ablate, RowsAndListsOfFinishedCellsThatAreOthersAreTold) {
  grid("mine.k = [3, 5]\n", "[0]");
  ASSERT_EQ(ablate().status, 0);
  const fs::path cell = cells()[0], lists = cell / "neighbours_train.npy", rows = cell / "features_train.npy";
  const std::string mined = text_of(lists), features = text_of(rows), table = text_of(root_ / "out" / "table.csv");
  const auto told = [&] {
    const Outcome dry = ablate({"--dry-run", "--quiet"}), o = ablate({"--quiet"});
    EXPECT_EQ(dry.err, o.err);
    EXPECT_EQ(text_of(root_ / "out" / "table.csv"), table);
    return o.err;
  };
  EXPECT_EQ(told(), "");
  std::string swapped = mined;
  std::swap(swapped[swapped.size() - 8], swapped[swapped.size() - 16]);
  std::ofstream(lists, std::ios::binary) << swapped;
  const std::string would = ": changed since the run was evaluated; kith run --out " + cell.string() +
                            " would take what is there now, and run ";
  const std::string changed = lists.string() + would + "cluster, selflabel, evaluate";
  EXPECT_EQ(told(), "kith: warning: " + changed + "\n");
  EXPECT_NE(text_of(root_ / "out" / "report.html").find("<p class=\"warning\">" + changed), std::string::npos);
  std::ofstream(lists, std::ios::binary) << mined;
  flip_bit(rows, 4);
  EXPECT_EQ(told(), "kith: warning: " + rows.string() + would + "mine, evaluate, and perhaps cluster, selflabel\n");
  fs::resize_file(rows, fs::file_size(rows) - 1);
  const std::string refused = kith({"run", "--out", cell.string()}).err;
  EXPECT_NE(refused.find(rows.string() + ": damaged: "), std::string::npos) << refused;
  EXPECT_EQ(told(), refused);
  std::ofstream(rows, std::ios::binary) << features;
  EXPECT_EQ(told(), "");
  // What a run uses as it is, a grid does not show as if its settings had made it.
  std::ofstream(lists, std::ios::binary) << swapped;
  const Outcome run = kith({"run", "--out", cell.string(), "--quiet"});
  ASSERT_EQ(run.status, 0) << run.err;
  const std::string used =
      "neighbours_train.npy: not what the stage mine made; used as it is (kith mine makes a new one)";
  EXPECT_NE(run.err.find("kith: warning: " + used + "\n"), std::string::npos) << run.err;
  EXPECT_EQ(ablate({"--quiet"}).err, "kith: warning: " + cell.string() + ": " + used + "\n");
}

// Beside a run of a grid lies all that it was begun with.
TEST_F(Ablate, AConfigurationOfACellThatWasCutIsCopiedFromTheOneBeside) {
  grid("mine.k = [3]\n", "[0]");
  ASSERT_EQ(ablate().status, 0);
  const fs::path cell = cells()[0], config = cell / "config.toml", copy = cell.string() + ".toml";
  const std::string whole = text_of(config), beside = text_of(copy);
  const auto write = [](const fs::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
  };
  const std::string away = "move the folder away, and the command of the grid runs it anew\n",
                    remedy = "; copy " + copy.string() + " there, or " + away;
  const auto refused = [&](const std::string& end) {
    for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
             {"ablate", (root_ / "grid.toml").string(), "--out", (root_ / "out").string()},
             {"ablate", (root_ / "grid.toml").string(), "--out", (root_ / "out").string(), "--dry-run"},
             {"run", "--out", cell.string()},
             {"watch", cell.string()},
             {"compare", cell.string() + "/"}}) {
      const Outcome o = kith(words);
      EXPECT_EQ(o.status, 1);
      EXPECT_TRUE(o.err.starts_with("kith: error: " + cell.string() + "/")) << o.err;
      EXPECT_TRUE(o.err.ends_with(end)) << o.err;
    }
  };
  for (const size_t left : {size_t{0}, whole.size() / 2, whole.find("\n[cluster]") + 1}) {
    write(config, whole.substr(0, left));
    refused(remedy);
  }
  // A copy that was cut, too, even between two of its last lines, brings nothing back.
  for (const size_t left : {beside.size() / 2, beside.rfind('\n', beside.size() - 2) + 1}) {
    write(copy, beside.substr(0, left));
    refused("; " + away);
  }
  write(copy, beside);
  write(config, whole.substr(0, whole.find("\nk = 3\n")) + "\nk = 4" + whole.substr(whole.find("\nk = 3\n") + 6));
  const std::string edited = ablate().err;
  EXPECT_NE(edited.find("was it changed by hand? Move the folder away, or copy " + copy.string() + " there\n"),
            std::string::npos)
      << edited;
  fs::copy_file(copy, config, fs::copy_options::overwrite_existing);
  const Outcome again = ablate();
  EXPECT_EQ(again.status, 0);
  EXPECT_NE(again.err.find("1 of 1 runs have finished earlier"), std::string::npos) << again.err;
}

// As a single run: where the current folder has no such path, those above the grid are looked in.
TEST_F(Ablate, RelativePathsAreFoundFromOtherFolders) {
  const auto relative = [this](const std::string& axes) {
    grid(axes, "[0]");
    std::string text = text_of(root_ / "grid.toml");
    text.replace(text.find(root_.string() + "/data"), root_.string().size() + 5, "data");
    std::ofstream(root_ / "grid.toml") << text;
  };
  relative("mine.k = [3]\n");
  {
    const InFolder here(root_);
    ASSERT_EQ(ablate().status, 0);
    ASSERT_EQ(kith({"run", "--preset", cells()[0].string() + ".toml", "--out", "three", "--seeds", "0", "--threads",
                    "1", "--quiet", "--data", "fashion-mnist:data"})
                  .status,
              0);
  }
  fs::create_directory(root_ / "elsewhere");
  const InFolder there(root_ / "elsewhere");
  const std::string found =
      "data.spec 'fashion-mnist:data', which the current folder does not have, is " + (root_ / "data").string() + "\n";
  relative("mine.k = [3, 5]\n");
  const Outcome o = ablate();
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(unwrapped(o.err).find("1 of 2 runs have finished earlier\n"), std::string::npos) << o.err;
  EXPECT_NE(unwrapped(o.err).find(found), std::string::npos) << o.err;
  EXPECT_EQ(cells().size(), 2u);
  const Outcome seeds = kith({"run", "--out", "../three", "--seeds", "0,1", "--threads", "1"});
  ASSERT_EQ(seeds.status, 0) << seeds.err;
  EXPECT_NE(unwrapped(seeds.err).find(found), std::string::npos) << seeds.err;
  EXPECT_EQ(cells("three").size(), 2u);

  relative("mine.k = [3, 5, 6]\n");
  fs::rename(root_ / "data", root_ / "moved");
  const Outcome lost = ablate();
  EXPECT_EQ(lost.status, 1);
  EXPECT_EQ(
      lost.err.substr(lost.err.find("kith: error: ")),
      "kith: error: mine.k = 6, seed 0: fashion-mnist: data: no such folder; a relative path is looked for in the "
      "current folder, and in those above " +
          (root_ / "out").string() + "\n");
}

}  // namespace
}  // namespace kith::test
