// What kith cluster --features and kith predict --features say of what is doubtful: a model that was changed, a log that lost
// lines, rows that f32 does not hold, a stop that saved nothing.
#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "nn/state/safetensors.h"
#include "tests/apps/commands/cluster_fixture.h"
#include "tests/apps/terminal.h"
#include "tests/support/lost_record.h"

namespace kith::test {
namespace {

// What a terminal shows of each method, from the first note to the summary.
TEST_F(ClusterProgram, LinesFitATerminal) {
  for (const std::string method : {"kmeans", "scan", "turtle", "temi"}) {
    std::vector<std::string> words = {"cluster",  "--features",  path("F.npy"),
                                      "--labels", path("L.npy"), "--method",
                                      method,     "--clusters",  method == "kmeans" ? "2,3,200" : "3",
                                      "--out",    path(method),  "--threads",
                                      "1"};
    if (method != "kmeans") words.insert(words.end(), {"--set", method == "turtle" ? "steps=40" : "epochs=3"});
    const Outcome o = kith(words);
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(too_wide(o.err), "") << method;
    EXPECT_EQ(too_wide(o.out), "") << method;
    if (method == "scan") {
      EXPECT_NE(unwrapped(o.err).find("validation_loss "), std::string::npos) << o.err;
    }
  }
}

// As of a run on images: the digest of the weights says that they are not those that were written, and they are refused.
TEST_F(ClusterProgram, AModelThatWasChangedIsRefusedByAllWhoUseIt) {
  const std::vector<std::string> settings = {"--clusters", "3", "--method", "kmeans"};
  ASSERT_EQ(kith(command("run", settings)).err, "");
  const auto asked = [&] {
    return kith({"predict", "--run", path("run"), "--features", path("new.npy"), "--threads", "1"});
  };
  EXPECT_EQ(asked().err, "");
  const fs::path file = root / "run" / "model.safetensors";
  const std::string bytes = content_of(file);
  SafeTensors model = read_safetensors(file);
  const float other = 0.25f;
  std::memcpy(model.arrays.at("gaussians.mean").bytes.data(), &other, sizeof other);
  write_safetensors(file, model);
  const std::string changed = "kith: error: " + file.string() +
                              ": not the bytes that the stage cluster wrote: damaged, or changed by hand; restore it, "
                              "or remove it, and kith cluster --features trains it again\n",
                    page = content_of(root / "run" / "report.html");
  for (const Outcome& o : {asked(), kith(command("run", settings))}) {
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.out, "");
    EXPECT_EQ(o.err, changed);
  }
  EXPECT_EQ(content_of(root / "run" / "report.html"), page);
  fs::remove(file);
  EXPECT_EQ(kith(command("run", settings)).err, "");
  EXPECT_TRUE(content_of(file) == bytes);
  EXPECT_EQ(asked().err, "");

  // Trained anew, and ended before it was judged: what lies beside it is of the one before.
  nlohmann::json records = nlohmann::json::parse(content_of(root / "run" / "stages.json"));
  records.at("evaluate").at("inputs").at("model.safetensors") = std::string(32, '0');
  std::ofstream(root / "run" / "stages.json") << records;
  EXPECT_EQ(asked().err, "kith: warning: " + file.string() +
                             ": made anew since it was evaluated: summary.json and the files beside it are of another; "
                             "the same kith cluster --features makes them anew\n");
  EXPECT_EQ(kith(command("run", settings)).err, "");
  EXPECT_EQ(asked().err, "");

  // Without a record nothing is known, and that is said, of the directory of an earlier version, too.
  const auto unknown = [&](const std::string& what) {
    return "kith: warning: " + path("run/stages.json") + ": " + what +
           ": nothing tells whether what the stage cluster left is as it was made; it is used as it is (restore the "
           "file, or remove model.safetensors, and kith cluster --features trains it again)\n";
  };
  fs::remove(root / "run" / "stages.json");
  EXPECT_EQ(asked().err, unknown("missing"));
  EXPECT_EQ(kith(command("run", settings)).err, unknown("missing"));
  EXPECT_EQ(kith(command("run", settings)).err, unknown("a record is missing"));  // the evaluation's is there
  EXPECT_EQ(asked().err, unknown("a record is missing"));

  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(model.arrays.at("gaussians.mean").bytes.data(), &nan, sizeof nan);
  write_safetensors(file, model);
  for (const Outcome& o : {asked(), kith(command("run", settings))}) {
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.err, "kith: error: " + file.string() +
                         ": gaussians.mean: element 0 is nan, expected finite values; remove the file, and "
                         "kith cluster --features makes it anew, training its stage again\n");
  }
}

// What the run would find in its directory, the dry run finds: with the same line where it is damaged.
TEST_F(ClusterProgram, ADryRunLooksAtWhatIsThere) {
  const std::vector<std::string> settings = {"--clusters", "3",        "--method", "scan",
                                             "--set",      "epochs=9", "--set",    "neighbours=8"};
  const auto dry = [&](std::vector<std::string> more) {
    more.insert(more.begin(), settings.begin(), settings.end());
    more.emplace_back("--dry-run");
    return kith(command("run", more));
  };
  EXPECT_NE(dry({}).out.find("\n# 9 steps\n"), std::string::npos) << dry({}).out;
  ASSERT_EQ(kith(command("run", settings)).status, 0);
  EXPECT_NE(dry({}).out.find("\n# done earlier: the model stands, and is judged again\n"), std::string::npos);
  EXPECT_EQ(dry({}).out.find("steps"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(dry({"--json"}).out).at("plan").at("done"), true);
  for (const std::string name : {"model.safetensors", "neighbours.npy", "stages.json", "metrics.jsonl"})
    for (const std::string bytes : {"", "cut", "{}\n[]\n"}) {
      const fs::path file = root / "run" / name;
      const std::string whole = content_of(file), page = content_of(root / "run" / "report.html");
      std::ofstream(file, std::ios::binary) << bytes;
      const Outcome planned = dry({}), run = kith(command("run", settings));
      const bool cut_line = name == "metrics.jsonl" && bytes.find('\n') == std::string::npos;  // as a kill leaves it
      EXPECT_EQ(planned.status, cut_line ? 0 : 1) << name << bytes;
      EXPECT_EQ(run.status, planned.status) << name << bytes << run.err;
      if (!cut_line) {
        EXPECT_EQ(planned.err, run.err) << name << bytes;
        EXPECT_TRUE(run.err.starts_with("kith: error: " + file.string() + ":")) << run.err;
        EXPECT_EQ(content_of(root / "run" / "report.html"), page) << name << bytes;
      }
      std::ofstream(file, std::ios::binary) << whole;
    }
  EXPECT_EQ(dry({}).err, "");
  lose_record(root / "run", "cluster");
  const Outcome doubted = dry({});
  EXPECT_NE(doubted.err, "");
  EXPECT_EQ(kith(command("run", settings)).err, doubted.err);
  fs::remove(root / "run" / "model.safetensors");
  std::ofstream(root / "run" / "checkpoint.safetensors") << "cut";
  const Outcome planned = dry({});
  EXPECT_EQ(planned.status, 1);
  EXPECT_TRUE(planned.err.ends_with("; remove it to start over\n")) << planned.err;
  EXPECT_EQ(kith(command("run", settings)).err, planned.err);
}

// So it does of neighbours that the run uses as they are, or searches for anew.
TEST_F(ClusterProgram, ADryRunTellsOfNeighboursThatWereChangedOrLost) {
  const std::vector<std::string> settings = {"--clusters", "3",          "--method", "scan",
                                             "--set",      "epochs=500", "--set",    "neighbours=8"};
  const auto dry = [&](std::vector<std::string> more) {
    more.insert(more.begin(), settings.begin(), settings.end());
    more.emplace_back("--dry-run");
    return kith(command("run", more));
  };
  ASSERT_EQ(kith(command("run", settings)).err, "");
  const fs::path file = root / "run" / "neighbours.npy";
  const std::string whole = content_of(file), anew = "\n# neighbours.npy is missing: they are searched for anew\n";
  std::string other = whole;
  std::swap_ranges(other.end() - 8, other.end(), other.end() - 16);
  std::ofstream(file, std::ios::binary) << other;
  const std::string changed = "kith: warning: " + file.string() +
                              ": not what the stage mine made; used as it is (once it is removed, they are searched "
                              "for anew)\n";
  EXPECT_EQ(dry({}).err, changed);
  EXPECT_EQ(kith(command("run", settings)).err, changed);

  fs::remove(file);
  EXPECT_EQ(dry({}).err, "");
  EXPECT_NE(dry({}).out.find(anew), std::string::npos) << dry({}).out;
  EXPECT_EQ(nlohmann::json::parse(dry({"--json"}).out).at("plan").at("neighbours_lost"), true);
  EXPECT_FALSE(fs::exists(file));
  ASSERT_EQ(kith(command("run", settings)).status, 0);
  EXPECT_TRUE(content_of(file) == whole);
  EXPECT_EQ(dry({}).out.find(anew), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(dry({"--json"}).out).at("plan").at("neighbours_lost"), false);

  // Those that a model is yet to be made of.
  fs::remove(root / "run" / "model.safetensors");
  fs::remove(root / "run" / "stages.json");
  const Outcome planned = dry({});
  EXPECT_NE(planned.err.find("/stages.json: missing: nothing tells whether what the stage mine left"),
            std::string::npos);
  EXPECT_EQ(kith(command("run", settings)).err, planned.err);
}

TEST_F(ClusterProgram, LinesThatTheLogLostAreTold) {
  const std::vector<std::string> settings = {"--clusters", "3", "--method", "scan", "--set", "epochs=500"};
  ASSERT_EQ(kith(command("run", settings)).err, "");
  const fs::path log = root / "run" / "metrics.jsonl";
  const std::string whole = content_of(log);
  const auto said = [&](const std::string& what) {
    return "kith: warning: " + log.string() + ": lines are missing (scan: " + what + "), what is left is shown\n";
  };
  std::ofstream(log, std::ios::binary) << whole.substr(whole.find('\n') + 1);
  EXPECT_EQ(kith(command("run", settings)).err, said("1 of 501"));
  EXPECT_NE(content_of(root / "run" / "report.html").find("<dt>Log</dt>"), std::string::npos);
  size_t at = 0;
  for (int line = 0; line < 250; ++line) at = whole.find('\n', at) + 1;
  std::ofstream(log, std::ios::binary) << whole.substr(0, at + 20);
  for (int time = 0; time < 2; ++time) EXPECT_EQ(kith(command("run", settings)).err, said("250 of 501"));
}

// Features are held in f32: what of them is lost there is said, before anything is made of it.
TEST_F(ClusterProgram, RowsThatF32CannotTellApartAreTold) {
  std::vector<double> x;
  for (int i = 0; i < 120; ++i)
    for (int d = 0; d < 4; ++d) x.push_back((d == i % 3 ? 2. : 1.) + (d == 0 ? 1e-12 * (i / 3) : 0));
  data::write_npy<double>(root / "F.npy", x, {120, 4});
  const std::string lost = "kith: warning: " + path("F.npy") +
                           ": 117 of 120 rows are equal to others in f32, which features are held in, and differ from "
                           "them in f64 (row 3 from row 0); subtract a mean from the columns, or scale them\n";
  const std::vector<std::string> settings = {"--clusters", "3", "--method", "kmeans"};
  std::vector<std::string> dry = settings;
  dry.emplace_back("--dry-run");
  EXPECT_EQ(kith(command("run", dry)).err, lost);
  const Outcome o = kith(command("run", settings));
  EXPECT_EQ(o.status, 0);
  EXPECT_EQ(o.err, lost);
  EXPECT_EQ(kith({"predict", "--run", path("run"), "--features", path("F.npy"), "--out", path("p.csv")}).err, lost);
  x[7] = -1e39;
  data::write_npy<double>(root / "F.npy", x, {120, 4});
  EXPECT_EQ(kith(command("other", settings)).err,
            "kith: error: " + path("F.npy") +
                ": value [1, 3] is -1e+39, beyond f32, which features are held in; scale them down\n");
  for (const char* name : {"cluster", "predict"})
    EXPECT_NE(unwrapped_help(name).find("held in f32"), std::string::npos) << name;
}

// Of methods whose steps are of one size whatever the rows are, rows far from that are refused, with what to do.
TEST_F(ClusterProgram, RowsOfLengthsThatStepsAreNotMadeForAreTold) {
  const std::vector<float> x = data::read_npy<float>(root / "F.npy").values;
  const auto scaled = [&](float by) {
    std::vector<float> y = x;
    for (float& v : y) v *= by;
    data::write_npy<float>(root / "F.npy", y, {120, 4});
  };
  const std::vector<std::string> turtle = {"--clusters", "3",        "--method", "turtle",
                                           "--set",      "steps=40", "--set",    "folds=2"};
  const std::vector<std::string> temi = {"--clusters", "3",        "--method", "temi",        "--set", "neighbours=8",
                                         "--set",      "epochs=2", "--set",    "hidden=8",    "--set", "heads=2",
                                         "--set",      "batch=32", "--set",    "bottleneck=4"};
  for (const auto& method : {turtle, temi}) {
    const std::string name = method[3];
    for (const float by : {1e-20f, 1e17f}) {
      scaled(by);
      const Outcome o = kith(command("far", method));
      EXPECT_EQ(o.status, 1);
      EXPECT_TRUE(o.err.starts_with("kith: error: " + path("F.npy") + ": rows of length ")) << o.err;
      EXPECT_NE(o.err.find("; " + name +
                           " takes them as stored, and its steps are made for lengths of 0.00012 to 6.6e+04; "
                           "--normalize yes or --standardize yes takes the length away, or scale the features\n"),
                std::string::npos)
          << o.err;
      EXPECT_FALSE(fs::exists(root / "far"));
    }
    scaled(1e-2f);
    EXPECT_NE(kith(command("near-" + name, method))
                  .err.find(" takes them as stored, and its steps are made for lengths of "
                            "0.031 to 2.6e+02; "),
              std::string::npos);
    std::vector<std::string> unit = method;
    unit.insert(unit.end(), {"--normalize", "yes"});
    EXPECT_EQ(kith(command("unit-" + name, unit)).err.find("as stored"), std::string::npos);
    scaled(1);
    EXPECT_EQ(kith(command("one-" + name, method)).err.find("as stored"), std::string::npos);
  }
}

// Rows of which none is less like others than any other, but for the rounding of their directions, have no outliers; one row
// among them that is another is alone in the list.
TEST_F(ClusterProgram, RowsThatAreAllAlikeHaveNoOutliers) {
  std::vector<float> x;
  for (int i = 0; i < 120; ++i) x.insert(x.end(), 4, 0.3f + 0.01f * static_cast<float>(i % 7));
  const auto outliers = [&](const std::string& out, const std::string& method) {
    data::write_npy<float>(root / "F.npy", x, {120, 4});
    const Outcome o = kith(command(out, {"--clusters", "2", "--method", method}));
    EXPECT_EQ(o.status, 0) << o.err;
    return content_of(root / out / "outliers.csv");
  };
  EXPECT_EQ(outliers("a", "kmeans"), "row,distance\n");
  EXPECT_EQ(outliers("b", "scan"), "row,likeness\n");
  x[4 * 77] = -1;
  EXPECT_EQ(outliers("c", "scan").find("row,likeness\n77,"), 0u);
  EXPECT_EQ(std::ranges::count(outliers("d", "scan"), '\n'), 2);
}

// Interrupted before there is a number of clusters, or while rows are first assigned, nothing is there to go on from.
TEST_F(ClusterProgram, WhatWasStoppedBeforeAnythingWasSavedSaysSo) {
  write("F.npy", 20000, 1);
  const Outcome o = kith(command("run", {"--clusters", "300,301,302", "--method", "kmeans"}),
                         {.signal = SIGINT, .after_ms = 0, .ready = [&] { return fs::exists(root / "run"); }});
  if (o.status == 0) GTEST_SKIP() << "it was done before it could be interrupted";
  EXPECT_EQ(o.status, 130) << o.err;
  EXPECT_TRUE(o.err.ends_with("kith: stopped before anything was saved; the same command starts again\n")) << o.err;
  EXPECT_FALSE(fs::exists(root / "run" / "model.safetensors"));
}

}  // namespace
}  // namespace kith::test
