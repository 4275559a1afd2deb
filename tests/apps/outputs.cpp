// Files and folders of one's own are not replaced, and nothing is written into a run but by its stages.
#include <cstdint>

#include "data/formats/npy.h"
#include "tests/apps/what_stands_fixture.h"

namespace kith::test {
namespace {

using Outputs = WhatStands;

// What stands in the file tells whether an earlier call has left it; its name does not.
TEST_F(Outputs, AnOutputReplacesItsOwnKindAlone) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  data::write_npy<float>(root_ / "own.npy", std::vector<float>{1, 2, 3, 4}, {2, 2});
  data::write_npy<int64_t>(root_ / "labels.npy", std::vector<int64_t>{0, 1}, {2});
  for (const char* name : {"own.csv", "own.jsonl", "own.npz", "own.onnx"}) std::ofstream(root_ / name) << "mine\n";
  std::ofstream(root_ / "notes.csv") << "image,cluster,notes\na.png,3,by hand\n";
  const std::string data = "fashion-mnist:" + path("data");
  const std::vector<std::string> predict = {"predict", "--run", path("a"), "--data", data, "--split", "test"};
  struct Case {
    std::vector<std::string> words;
    std::string option, own, what, fresh;
  };
  const std::vector<Case> cases = {
      {predict, "--out", "own.csv", "table of kith predict", "p.csv"},
      {predict, "--out", "notes.csv", "table of kith predict", "r.csv"},
      {predict, "--out", "own.jsonl", "list of kith predict", "p.jsonl"},
      {predict, "--out", "own.npy", "array of clusters", "p.npy"},
      {predict, "--probabilities", "own.npy", "array of probabilities", "q.npy"},
      {{"features", "--run", path("a"), "--data", data}, "--out", "labels.npy", "array of features (f32)", "f.npy"},
      {{"neighbours", "--run", path("a"), "--data", data}, "--out", "own.csv", "table of kith neighbours", "n.csv"},
      {{"graph", "--run", path("a")}, "--out", "own.npz", "graph of kith graph", "g.npz"},
      {{"graph", "--run", path("a")}, "--out", "own.csv", "list of kith graph", "g.csv"},
      {{"export", "--run", path("a")}, "--onnx", "own.onnx", "network of kith export", "net.onnx"},
      {{"mine", "--features", path("a/features_train.npy"), "--k", "3"},
       "--out",
       "labels.npy",
       "array of neighbours (int64)",
       "i.npy"},
      {{"mine", "--features", path("a/features_train.npy"), "--k", "3", "--out", path("i.npy")},
       "--scores",
       "labels.npy",
       "array of scores (f32)",
       "s.npy"},
      {{"evaluate", "--assignments", path("labels.npy"), "--labels", path("labels.npy")},
       "--confusion",
       "own.csv",
       "table of kith evaluate",
       "c.csv"}};
  for (const Case& c : cases) {
    const auto into = [&](const std::string& name) {
      std::vector<std::string> words = c.words;
      words.insert(words.end(), {c.option, path(name)});
      return words;
    };
    EXPECT_EQ(refused(into(c.own)), "kith: error: " + path(c.own) + ": is there already, and is no " + c.what +
                                        "; give " + c.option + " another name\n");
    std::ofstream(root_ / c.fresh) << "";  // as mktemp makes it
    for (const char* time : {"first", "again"}) {
      const Outcome o = kith(into(c.fresh));
      EXPECT_EQ(o.status, 0) << time << o.err;
    }
  }
}

TEST_F(Outputs, NothingOfOthersIsWrittenIntoARun) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  fs::create_directory(root_ / "a" / "notes");
  fs::create_directory_symlink(root_ / "a" / "notes", root_ / "link");
  std::ofstream(root_ / "grid.toml") << "data = \"fashion-mnist:" << path("data") << "\"\n[axes]\nmine.k = [4, 5]\n";
  const auto line = [&](const std::string& named) {
    return "kith: error: " + named + ": lies in the run " + path("a") +
           ", which is only read; expected another place\n";
  };
  const std::string data = "fashion-mnist:" + path("data");
  for (const char* in : {"a/new", "a/notes/new", "link/new"}) {
    const std::string out = path(in);
    EXPECT_EQ(refused(command("run", in)), line("--out " + out));
    EXPECT_EQ(refused(command("run", in, {"--dry-run"})), line("--out " + out));
    EXPECT_EQ(refused({"ablate", path("grid.toml"), "--out", out}), line("--out " + out));
    EXPECT_EQ(refused({"import", path("x.safetensors"), "--out", out}), line("--out " + out));
    EXPECT_EQ(refused({"cluster", "--features", path("x.npy"), "--clusters", "3", "--out", out}), line("--out " + out));
    EXPECT_EQ(refused({"gallery", "--run", path("a"), "--data", data, "--out", out}), line("--out " + out));
    EXPECT_EQ(refused({"sort", "--run", path("a"), "--data", data, "--into", out}), line("--into " + out));
    EXPECT_EQ(refused({"data", "fetch", "cifar10", "--root", out}), line("--root " + out));
    EXPECT_EQ(refused({"predict", "--run", path("a"), "--data", data, "--out", out + ".csv"}), line(out + ".csv"));
    EXPECT_EQ(refused({"export", "--run", path("a"), "--onnx", out + ".onnx"}), line(out + ".onnx"));
    EXPECT_EQ(refused({"compare", path("a"), "--page", out + ".html"}), line(out + ".html"));
  }
  // What is advised lies beside the run.
  EXPECT_EQ(
      refused({"ablate", path("grid.toml"), "--out", path("a")}),
      "kith: error: " + path("a") + ": holds a run; expected an empty or a new folder, such as " + path("new") + "\n");
  // A configuration of something else is no run.
  fs::create_directory(root_ / "site");
  std::ofstream(root_ / "site" / "config.toml") << "title = \"mine\"\n";
  EXPECT_EQ(run("site/a", {"--dry-run"}).status, 0);
}

}  // namespace
}  // namespace kith::test
