// Nothing is written into a run but by its stages.
#include "tests/apps/what_stands_fixture.h"

namespace kith::test {
namespace {

using Outputs = WhatStands;

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
