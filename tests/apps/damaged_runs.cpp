// Files of a run that were damaged or changed since: no good result is replaced because of them, and the line says the remedy.
#include <algorithm>
#include <map>

#include "tests/apps/in_folder.h"
#include "tests/apps/run_fixture.h"
#include "tests/apps/terminal.h"
#include "tests/support/flipped.h"

namespace kith::test {
namespace {

class DamagedRuns : public Runs {
 protected:
  std::string path(const std::string& name) const { return (root_ / name).string(); }
  static void write(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }
  std::map<std::string, std::string> contents(const std::string& run) const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(root_ / run))
      if (entry.is_regular_file()) all[entry.path().filename().string()] = text_of(entry.path());
    return all;
  }
  // The one line of a command that must fail and leave the run "a" as it is.
  std::string refused(const std::vector<std::string>& words) const {
    const auto before = contents("a");
    const Outcome o = kith(words);
    EXPECT_EQ(o.status, 1) << o.out << o.err;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
    EXPECT_TRUE(contents("a") == before) << "files changed: " << o.err;
    return o.err;
  }
  std::vector<std::string> again() const { return command("run", "a", {"--quiet"}); }
  Outcome predict(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"predict", "--run", path("a"), "--data", "fashion-mnist:" + path("data")};
    words.insert(words.end(), more.begin(), more.end());
    return kith(words);
  }
};

TEST_F(DamagedRuns, WeightsOfOtherBytesAreRefusedAndNothingIsReplaced) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const auto good = contents("a");
  for (const std::string stage : {"pretext", "cluster", "selflabel"}) {
    const fs::path file = root_ / "a" / (stage + ".safetensors");
    flip_bit(file);
    const std::string line = "kith: error: " + file.string() + ": not the bytes that the stage " + stage +
                             " wrote: damaged, or changed by hand; restore it, or remove it, and kith run trains that "
                             "stage again\n";
    EXPECT_EQ(refused(again()), line);
    EXPECT_EQ(refused(command("run", "a", {"--dry-run"})), line);
    EXPECT_EQ(refused(command("evaluate", "a", {"--quiet"})), line);
    EXPECT_EQ(refused({"run", "--from", path("a"), "--out", path("b"), "--quiet"}), line);
    EXPECT_FALSE(fs::exists(root_ / "b"));
    const std::string data = "fashion-mnist:" + path("data");
    EXPECT_EQ(refused({"features", "--run", path("a"), "--data", data, "--stage", stage, "--out", path("F.npy")}),
              line);
    if (stage != "pretext") {
      for (const char* ask : {"predict", "sort", "gallery"}) {
        std::vector<std::string> words = {ask, "--run", path("a"), "--data", data, "--stage", stage};
        if (ask != std::string("predict")) words.insert(words.end(), {ask[0] == 's' ? "--into" : "--out", path("c")});
        EXPECT_EQ(refused(words), line);
      }
      EXPECT_EQ(refused({"export", "--run", path("a"), "--stage", stage, "--onnx", path("net.onnx")}), line);
    } else {
      EXPECT_EQ(refused({"neighbours", "--run", path("a"), "--data", data}), line);
    }
    for (const char* name : {"F.npy", "c", "net.onnx"}) EXPECT_FALSE(fs::exists(root_ / name)) << name;
    // What the network of a later stage was made of is not called new, and the remedy costs no good result.
    if (stage == "cluster") {
      const std::string told = predict().err;
      EXPECT_NE(told.find("cluster.safetensors is not what the stage cluster made; the network of the stage "
                          "selflabel was made before; kith run --out " +
                          path("a") + " refuses to go on: " + line.substr(std::string("kith: error: ").size())),
                std::string::npos)
          << told;
      EXPECT_EQ(told.find("made anew"), std::string::npos) << told;
    }
    fs::remove(file);
    ASSERT_EQ(kith(again()).status, 0);
    for (const char* name : {"pretext.safetensors", "cluster.safetensors", "selflabel.safetensors", "assignments.npy"})
      EXPECT_TRUE(text_of(root_ / "a" / name) == good.at(name)) << name << " after " << stage;
  }
  // By name a stage replaces what it left.
  const fs::path file = root_ / "a" / "cluster.safetensors";
  flip_bit(file);
  EXPECT_NE(kith(command("cluster", "a", {"--quiet"})).err.find("not what the stage cluster made; replaced"),
            std::string::npos);
  EXPECT_TRUE(text_of(file) == good.at("cluster.safetensors"));
  EXPECT_EQ(kith(again()).status, 0);
}

// Of an attempt that was killed: neither continued from nor planned, and a whole one goes on to the same bytes.
TEST_F(DamagedRuns, ACheckpointOfOtherBytesIsRefused) {
  const std::vector<std::string> often = {"--quiet",           "--set", "checkpoint_seconds=0", "--set",
                                          "pretext.epochs=20", "--set", "cluster.epochs=60"};
  ASSERT_EQ(run("whole", often).status, 0);
  for (const std::string stage : {"pretext", "cluster"}) {
    const fs::path file = root_ / "a" / ("checkpoint_" + stage + ".safetensors");
    const Outcome killed = kith(command("run", "a", often), {.signal = 9, .ready = [&] { return fs::exists(file); }});
    ASSERT_EQ(killed.status, 128 + 9) << stage;
    const std::string bytes = text_of(file), remedy = "; remove it, and the stage " + stage + " begins anew\n";
    const std::vector<std::vector<std::string>> ask = {command("run", "a", often), command("run", "a", {"--dry-run"}),
                                                       command(stage, "a", {"--quiet"})};
    for (const size_t at : {bytes.size() - 1, bytes.find("\\\"step\\\":") + 9}) {
      ASSERT_LT(at, bytes.size());
      flip_bit(file, static_cast<int>(bytes.size() - at));
      for (const std::vector<std::string>& words : ask)
        EXPECT_EQ(refused(words),
                  "kith: error: " + file.string() + ": damaged: not the bytes that were saved" + remedy);
      write(file, bytes);
    }
    write(file, bytes.substr(0, bytes.size() / 2));
    for (const std::vector<std::string>& words : ask) EXPECT_TRUE(refused(words).ends_with(remedy));
    write(file, bytes);
    ASSERT_FALSE(HasFailure());
  }
  ASSERT_EQ(kith(command("run", "a", often)).status, 0);
  for (const char* name : {"pretext.safetensors", "cluster.safetensors", "selflabel.safetensors", "assignments.npy"})
    EXPECT_TRUE(text_of(root_ / "a" / name) == text_of(root_ / "whole" / name)) << name;
}

TEST_F(DamagedRuns, ArraysThatWereCutSayWhatMakesThemAnew) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const auto good = contents("a");
  for (const auto& [name, command] :
       {std::pair("features_train.npy", "pretext"), {"features_test.npy", "pretext"}, {"neighbours_train.npy", "mine"}})
    for (const bool empty : {false, true}) {
      const std::string& bytes = good.at(name);
      write(root_ / "a" / name, empty ? "" : bytes.substr(0, bytes.size() / 2));
      const std::string line = refused(again());
      EXPECT_EQ(line.find("kith: error: " + path(std::string("a/") + name) + ": "), 0u) << line;
      EXPECT_TRUE(line.ends_with(std::string("; remove it, and kith run, or kith ") + command + ", makes it anew\n"))
          << line;
      if (std::string(name) == "features_train.npy") {
        EXPECT_EQ(refused({"neighbours", "--run", path("a"), "--data", "fashion-mnist:" + path("data")}), line);
      }
      fs::remove(root_ / "a" / name);
      ASSERT_EQ(kith(again()).status, 0);
      EXPECT_TRUE(text_of(root_ / "a" / name) == bytes) << name;
    }
  write(root_ / "a" / "neighbours_test.npy", "");
  EXPECT_TRUE(refused({"graph", "--run", path("a"), "--split", "test", "--out", path("g.npz")})
                  .ends_with("; remove it, and kith run, or kith mine, makes it anew\n"));
  write(root_ / "a" / "neighbours_test.npy", good.at("neighbours_test.npy"));

  write(root_ / "a" / "prototypes.npy", good.at("prototypes.npy").substr(0, 200));
  const Outcome asked = predict();
  EXPECT_EQ(asked.status, 1);
  EXPECT_TRUE(asked.err.ends_with("; kith evaluate --out " + path("a") + " makes a new one\n")) << asked.err;
  write(root_ / "a" / "prototypes.npy", good.at("prototypes.npy"));

  write(root_ / "a" / "assignments.npy", good.at("assignments.npy").substr(0, 140));
  EXPECT_TRUE(kith({"compare", path("a")}).err.ends_with("; kith evaluate --out " + path("a") + " makes a new one\n"));
  write(root_ / "a" / "assignments.npy", good.at("assignments.npy"));

  const std::string records = text_of(root_ / "a" / "stages.json");
  write(root_ / "a" / "stages.json", records.substr(0, records.size() / 2));
  EXPECT_NE(refused(again()).find("stages.json: damaged: expected what kith writes"), std::string::npos);
  EXPECT_NE(refused(again()).find("; restore it, or remove it: then what is there is used with a warning"),
            std::string::npos);
  fs::remove(root_ / "a" / "stages.json");
  EXPECT_EQ(kith(again()).status, 0);
}

TEST_F(DamagedRuns, AnEmptiedConfigurationIsOneLineEverywhere) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  write(root_ / "a" / "config.toml", "");
  const std::string line = "kith: error: " + path("a/config.toml") +
                           ": has no data.spec, as every run writes it; restore the file, or begin anew in another "
                           "--out\n";
  EXPECT_EQ(refused({"run", "--out", path("a")}), line);
  EXPECT_EQ(refused({"run", "--out", path("a"), "--data", "fashion-mnist:" + path("data")}), line);
  EXPECT_EQ(refused({"run", "--from", path("a"), "--out", path("b")}), line);
  EXPECT_EQ(refused({"compare", path("a")}), line);
  EXPECT_EQ(refused({"watch", path("a")}), line);
  EXPECT_EQ(refused({"predict", "--run", path("a"), "--data", "fashion-mnist:" + path("data")}), line);
  EXPECT_EQ(refused({"export", "--run", path("a"), "--onnx", path("net.onnx")}), line);
}

// Wherever it was cut: within a value, or between two lines, where what is left is still a configuration.
TEST_F(DamagedRuns, AConfigurationThatWasCutSaysWhatToDo) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const std::string whole = text_of(root_ / "a" / "config.toml"),
                    remedy = "; restore the file, or begin anew in another --out\n";
  const size_t middle = whole.find("\n[mine]");
  ASSERT_NE(middle, std::string::npos);
  for (const size_t left : {whole.find("spec = ") + 12, middle, middle + 4}) {
    write(root_ / "a" / "config.toml", whole.substr(0, left));
    for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
             {"run", "--out", path("a")},
             {"run", "--from", path("a"), "--out", path("b")},
             {"compare", path("a")},
             {"watch", path("a")},
             {"predict", "--run", path("a"), "--data", "fashion-mnist:" + path("data")}}) {
      const std::string line = refused(words);
      EXPECT_TRUE(line.starts_with("kith: error: " + path("a/config.toml") + ":")) << line;
      EXPECT_TRUE(line.ends_with(remedy) != (line.find("restore it or begin another run directory") != line.npos))
          << line;
    }
  }
}

TEST_F(DamagedRuns, FiguresThatWereChangedAreToldOfBesideAndOnTheirPage) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  ASSERT_EQ(run("b", {"--quiet", "--seed", "1"}).status, 0);
  write(root_ / "a" / "summary.json", text_of(root_ / "a" / "summary.json") + "\n");
  fs::copy_file(root_ / "a" / "assignments.npy", root_ / "b" / "assignments.npy", fs::copy_options::overwrite_existing);
  for (const char* format : {"text", "csv", "markdown", "latex"}) {
    const Outcome o = kith({"compare", path("a"), path("b"), "--format", format, "--page", path("page.html")});
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_NE(o.err.find("kith: warning: " + path("a/summary.json") + ": not what the stage evaluate made"),
              std::string::npos)
        << o.err;
    EXPECT_NE(o.err.find("kith: warning: " + path("b/assignments.npy") + ": not what the stage evaluate made"),
              std::string::npos)
        << o.err;
  }
  const std::string page = text_of(root_ / "page.html");
  for (const char* file : {"a/summary.json", "b/assignments.npy"})
    EXPECT_NE(page.find("<p class=\"warning\">" + path(file) + ": not what the stage evaluate made"), std::string::npos)
        << file;
}

TEST_F(DamagedRuns, RelativePathsAreFoundFromOtherFolders) {
  {
    const InFolder here(root_);
    std::vector<std::string> words = command("run", "runs/a", {"--quiet"});
    *(std::ranges::find(words, "--data") + 1) = "fashion-mnist:data";
    *(std::ranges::find(words, "--out") + 1) = "runs/a";
    ASSERT_EQ(kith(words).status, 0);
    EXPECT_EQ(kith({"run", "--out", "runs/a", "--dry-run"}).err, "");
  }
  const std::string config = text_of(root_ / "runs/a/config.toml");
  const std::string found =
      "data.spec 'fashion-mnist:data', which the current folder does not have, is " + path("data") + "\n";
  fs::create_directory(root_ / "elsewhere");
  const InFolder there(root_ / "elsewhere");
  EXPECT_EQ(unwrapped(kith({"run", "--out", path("runs/a"), "--dry-run"}).err), "kith: " + found);
  const Outcome again = kith({"run", "--out", "../runs/a/"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_NE(unwrapped(again.err).find(found), std::string::npos) << again.err;
  EXPECT_NE(again.err.find("selflabel: done earlier"), std::string::npos) << again.err;
  EXPECT_EQ(text_of(root_ / "runs/a/config.toml"), config);  // still of a project that may be moved
  ASSERT_EQ(kith({"mine", "--from", path("runs/a"), "--out", "new", "--quiet"}).status, 0);
  EXPECT_NE(text_of(root_ / "elsewhere/new/config.toml").find("\"fashion-mnist:" + path("data") + "\""),
            std::string::npos);
  // The nearer one is another data set of the same name.
  write_tiny_fashion_mnist(root_ / "elsewhere" / "data", 210, 60, 8);
  EXPECT_NE(kith({"run", "--out", path("runs/a"), "--dry-run"}).err.find("made from other inputs (the train images"),
            std::string::npos);
  fs::remove_all(root_ / "elsewhere" / "data");
  fs::rename(root_ / "data", root_ / "moved");
  const Outcome lost = kith({"run", "--out", path("runs/a"), "--dry-run"});
  EXPECT_EQ(lost.status, 1);
  EXPECT_EQ(lost.err,
            "kith: error: " + path("runs/a/config.toml") +
                ": data.spec is 'fashion-mnist:data', relative to the folder that the run was begun in: there "
                "is none in the current folder, " +
                path("elsewhere") + ", nor in those above the run; --data fashion-mnist:PATH names it anew\n");
  EXPECT_EQ(kith({"run", "--out", path("runs/a"), "--data", "fashion-mnist:../moved", "--dry-run"}).status, 0);
}

// Nor is another run: runs/photos of photos.
TEST_F(DamagedRuns, ARunThatIsCalledAsItsImagesIsNotTakenForThem) {
  {
    const InFolder here(root_);
    std::vector<std::string> words = command("run", "runs/data", {"--quiet"});
    *(std::ranges::find(words, "--data") + 1) = "fashion-mnist:data";
    *(std::ranges::find(words, "--out") + 1) = "runs/data";
    ASSERT_EQ(kith(words).status, 0);
  }
  const std::string found =
      "kith: data.spec 'fashion-mnist:data', which the current folder does not have, is " + path("data") + "\n";
  const auto said = [](const char* out) { return unwrapped(kith({"run", "--out", out, "--dry-run"}).err); };
  const InFolder runs(root_ / "runs");
  EXPECT_EQ(said("data"), found);
  fs::copy(root_ / "runs/data", root_ / "runs/other", fs::copy_options::recursive);
  EXPECT_EQ(said("other"), found);
  const InFolder inside(root_ / "runs" / "data");
  EXPECT_EQ(said("."), found);
}

// What the line says to do is enough: nothing but its figures is lost with it.
TEST_F(DamagedRuns, ALogWithADamagedLineIsReadWithoutIt) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const fs::path log = root_ / "a" / "metrics.jsonl";
  const std::string whole = text_of(log), table = text_of(root_ / "a" / "assignments.npy");
  std::vector<size_t> begins = {0};
  while (begins.back() != std::string::npos && begins.back() + 1 < whole.size())
    begins.push_back(whole.find('\n', begins.back()) + 1);
  for (const size_t number : {size_t{0}, begins.size() / 2, begins.size() - 3}) {
    const std::string before = whole.substr(0, begins[number]), behind = whole.substr(begins[number + 1]);
    write(log, before + "[]\n" + behind);
    const std::string line = "kith: error: " + log.string() + ":" + std::to_string(number + 1) +
                             ": expected one JSON object; restore the file, or take the line out to go on\n";
    const std::vector<std::vector<std::string>> all = {
        again(), command("run", "a", {"--dry-run"}), {"watch", path("a")}, {"compare", path("a")}};
    for (const auto& words : all) EXPECT_EQ(refused(words), line) << words[0];
    write(log, before + behind);
    for (const auto& words : all) EXPECT_EQ(kith(words).status, 0) << words[0];
    EXPECT_EQ(text_of(root_ / "a" / "assignments.npy"), table);
  }
}

}  // namespace
}  // namespace kith::test
