// What a user sees of the program: help, errors, exit statuses.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <tuple>

#include "scan/config/config.h"
#include "tests/apps/program.h"

namespace kith::test {
namespace {

// One line on standard error, nothing on standard output.
void expect_error(const std::vector<std::string>& arguments, int status, const std::string& message) {
  const Outcome o = kith(arguments);
  EXPECT_EQ(o.status, status);
  EXPECT_EQ(o.out, "");
  EXPECT_EQ(o.err.substr(0, o.err.find('\n')), "kith: error: " + message);
  EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
}

TEST(Program, HelpFitsATerminal) {
  for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
           {},         {"run"},      {"pretext"},    {"mine"},          {"cluster"},      {"selflabel"}, {"refine"},
           {"import"}, {"export"},   {"predict"},    {"features"},      {"neighbours"},   {"graph"},     {"sort"},
           {"ablate"}, {"gallery"},  {"compare"},    {"watch"},         {"data"},         {"presets"},   {"fields"},
           {"info"},   {"evaluate"}, {"completion"}, {"data", "fetch"}, {"data", "info"}, {"man"}}) {
    std::vector<std::string> asked = words;
    asked.emplace_back("--help");
    std::istringstream lines(kith(asked).out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  }
  const std::string help = kith({"cluster", "--help"}).out;
  EXPECT_NE(help.find("\n  --preset TEXT Excludes: --from\n                              Preset or TOML file; default: "
                      "the run directory's,\n                              else quick\n"),
            std::string::npos)
      << help;
}

TEST(Program, HelpNamesEveryCommand) {
  const Outcome o = kith({"--help"});
  EXPECT_EQ(o.status, 0);
  for (const char* command : {"run", "pretext", "mine", "cluster", "selflabel", "refine", "evaluate", "ablate",
                              "import", "export", "data", "presets", "fields", "compare", "watch", "info"})
    EXPECT_NE(o.out.find(command), std::string::npos) << command;
  EXPECT_EQ(kith({"--version"}).out.substr(0, 5), "kith ");
  for (const char* word : {"-v", "version"}) EXPECT_EQ(kith({word}).out, kith({"--version"}).out) << word;
}

// Every option of an example is one of its command, and so is every field after --set.
TEST(Program, HelpEndsWithExamplesThatExist) {
  for (const std::string command :
       {"run",     "pretext", "mine",     "cluster",    "selflabel", "refine", "evaluate", "import",
        "export",  "predict", "features", "neighbours", "graph",     "sort",   "gallery",  "ablate",
        "compare", "watch",   "data",     "presets",    "fields",    "info"}) {
    const std::string help = unwrapped_help(command);
    const size_t at = help.find("Examples:\n  kith " + command);
    ASSERT_NE(at, std::string::npos) << help;
    std::istringstream words(help.substr(at));
    bool field = false;
    for (std::string word; words >> word;) {
      if (word.starts_with("--")) {
        EXPECT_TRUE(help.substr(0, at).find("  " + word + " ") != std::string::npos ||
                    (command == "data" && word == "--root"))
            << command << ": " << word;
      }
      if (field && word != "takes:") {
        EXPECT_EQ(kith({"fields", word.substr(0, word.find('='))}).status, 0) << word;
      }
      field = word == "--set";
    }
  }
}

// What the help names as going with an array does, and every other option of a stage is refused as the help says.
TEST(Program, HelpSaysWhichOptionsAnArrayExcludes) {
  const std::vector<std::string> stage = {"--data",      "--preset",  "--set",       "--seed",      "--threads",
                                          "--ranks",     "--sync-bn", "--device",    "--precision", "--tf32",
                                          "--recompute", "--from",    "--no-graphs", "--stream",    "--profile",
                                          "--dry-run",   "--quiet",   "--json"};
  const std::vector<std::string> flags = {"--sync-bn", "--tf32",    "--recompute", "--no-graphs",
                                          "--profile", "--dry-run", "--quiet",     "--json"};
  for (const auto& [command, array, needs] : std::initializer_list<std::tuple<std::string, std::string, std::string>>{
           {"mine", "--features", ""},
           {"cluster", "--features", "--clusters"},
           {"evaluate", "--assignments", "--labels"}}) {
    const std::string help = unwrapped_help(command);
    const size_t at = help.find("with it go "), end = help.find(", and the options below; it excludes the others\n");
    ASSERT_NE(at, std::string::npos) << help;
    ASSERT_NE(end, std::string::npos) << help;
    const std::string kept = help.substr(at, end - at) + ",";
    for (const std::string& option : stage) {
      std::vector<std::string> words = {command, array, "none.npy", option};
      if (std::ranges::find(flags, option) == flags.end())
        words.push_back(option == "--from"        ? "."
                        : option == "--device"    ? "cpu"
                        : option == "--precision" ? "f32"
                        : option == "--stream"    ? "no"
                        : option == "--set"       ? "epochs=1"
                                                  : "1");
      if (command != "evaluate") words.insert(words.end(), {"--out", "none"});
      if (!needs.empty()) words.insert(words.end(), {needs, "2"});
      const Outcome o = kith(words);
      if (help.find("  " + option + " ") == std::string::npos) {
        EXPECT_TRUE(o.err.starts_with("kith: error: kith " + command + " has no option " + option)) << o.err;
        continue;
      }
      const bool excluded = o.err.find(option + " excludes " + array) != std::string::npos;
      EXPECT_EQ(excluded, kept.find(" " + option + ",") == std::string::npos)
          << command << " " << option << ": " << o.err;
      EXPECT_EQ(o.status, excluded ? 2 : 1) << command << " " << option << ": " << o.err;
    }
  }
  EXPECT_NE(unwrapped_help("cluster").find("; needs --clusters; "), std::string::npos);
}

TEST(Program, HelpNamesNothingThatACommandCannotUse) {
  for (const auto& [command, options] : std::initializer_list<std::pair<std::string, std::vector<std::string>>>{
           {"import", {"--sync-bn", "--ranks", "--dry-run", "--fields", "--no-graphs"}},
           {"mine", {"--sync-bn", "--recompute", "--no-graphs", "--stream"}},
           {"evaluate", {"--sync-bn", "--recompute", "--no-graphs"}}}) {
    const std::string help = unwrapped_help(command);
    for (const std::string& option : options)
      EXPECT_EQ(help.find("  " + option + " "), std::string::npos) << command << " " << option;
  }
}

TEST(Program, WrongUsageExitsWithTwo) {
  expect_error({}, 2, "A subcommand is required (kith --help)");
  expect_error({"rnu", "--out", "x"}, 2, "no command rnu; the nearest is run (kith --help)");
  expect_error({"run"}, 2, "--out is required (kith run --help)");
  expect_error({"run", "--out", ""}, 2, "--out: is empty (kith run --help)");
  for (const std::string text : {"-1", "abc", "", "1.5", "+1", "18446744073709551615", "99999999999999999999"})
    expect_error({"run", "--out", "x", "--seed", text}, 2,
                 "--seed: expected a whole number, 0 to 9223372036854775807; found '" + text + "' (kith run --help)");
  for (const std::string text : {"-1", "", "4097"})
    expect_error({"run", "--out", "x", "--threads", text}, 2,
                 "--threads: expected a whole number, 0 to 4096; found '" + text + "' (kith run --help)");
  for (const std::string command : {"run", "mine"})
    expect_error({command, "--out", "x", "--ranks", "0"}, 2,
                 "--ranks: expected a whole number, 1 to 4096; found '0' (kith " + command + " --help)");
  for (const std::string text : {"nan", "-0.1", "1.01", "", "0.5x"})
    expect_error({"sort", "--run", "x", "--into", "y", "--min-confidence", text}, 2,
                 "--min-confidence: expected a number from 0 to 1; found '" + text + "' (kith sort --help)");
  for (const std::string text : {"nan", "-0.1", "1"})
    expect_error({"data", "info", "folder:x", "--holdout", text}, 2,
                 "--holdout: expected a number from 0, below 1; found '" + text + "' (kith data info --help)");
  expect_error({"predict", "--run", "x", "--images", "y.png"}, 2,
               "kith predict has no option --images; the nearest is --stage; picture files stand without an option "
               "(kith predict --help)");
  expect_error({"run", "--out", "x", "--data", ""}, 2, "--data: is empty (kith run --help)");
  expect_error({"run", "--out", "x", "--preset", ""}, 2, "--preset: is empty (kith run --help)");
  expect_error({"mine", "--k", "3", "--out", "y"}, 2, "--k requires --features (kith mine --help)");
  expect_error({"mine", "--features", "x.npy", "--out", "y", "--seed", "3"}, 2,
               "--seed excludes --features (kith mine --help)");
  expect_error({"evaluate"}, 2, "--out or --assignments is required (kith evaluate --help)");
  expect_error({"evaluate", "--assignments", "a.npy"}, 2, "--assignments requires --labels (kith evaluate --help)");
  expect_error({"presets", "--foo"}, 2, "kith presets has no option --foo (kith presets --help)");
  expect_error({"presets", "--hepl"}, 2,
               "kith presets has no option --hepl; the nearest is --help (kith presets --help)");
  // Not the value for the option, whatever stands first.
  expect_error({"run", "--out", "x", "--seeed", "1"}, 2,
               "kith run has no option --seeed; the nearest is --seed (kith run --help)");
  expect_error({"run", "--out", "x", "--seeed=1"}, 2,
               "kith run has no option --seeed; the nearest is --seed (kith run --help)");
  expect_error({"data", "fetsh"}, 2, "no command fetsh; the nearest is fetch (kith data --help)");
  expect_error({"run", "--out", "x", "folder:photos"}, 2,
               "kith run does not take 'folder:photos'; a data set goes behind --data (kith run --help)");
  expect_error({"presets", "quick", "paper"}, 2, "kith presets does not take 'paper' (kith presets --help)");
  expect_error({"run", "--out", "x", "-data", "folder:photos"}, 2,
               "kith run has no option -data; the nearest is --data (kith run --help)");
  expect_error({"run", "--out", "x", "--data"}, 2, "--data: a value is missing behind it (kith run --help)");
  expect_error({"run", "--out", "x", "--data", "a", "--data", "b"}, 2,
               "--data: given twice; expected it once (kith run --help)");
}

TEST(Program, HelpOfNoCommandIsWrongUsage) {
  for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
           {"cluser", "--help"}, {"cluser", "-h"}, {"help", "cluser"}, {"--help", "cluser"}})
    expect_error(words, 2, "no command cluser; the nearest is cluster (kith --help)");
  expect_error({"train", "--help"}, 2, "no command train (kith --help)");
  expect_error({"help", "nope"}, 2, "no command nope (kith --help)");
  expect_error({"help", "data", "fetsh"}, 2, "no command fetsh; the nearest is fetch (kith data --help)");
  EXPECT_EQ(kith({"help"}).out, kith({"--help"}).out);
  EXPECT_EQ(kith({"help", "help"}).out, kith({"--help"}).out);
  EXPECT_EQ(kith({"help", "data", "fetch"}).out, kith({"data", "fetch", "--help"}).out);
  EXPECT_EQ(kith({"help", "run"}).status, 0);
}

TEST(Program, InfoIsOneScreen) {
  const Outcome o = kith({"info"});
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_TRUE(o.out.starts_with("kith 0")) << o.out;
  EXPECT_NE(o.out.find("oneDNN "), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("--device auto takes "), std::string::npos) << o.out;
  EXPECT_LE(std::ranges::count(o.out, '\n'), 24);
  const auto json = nlohmann::json::parse(kith({"info", "--json"}).out);
  EXPECT_TRUE(json.contains("devices"));
  EXPECT_TRUE(json.at("automatic").is_string());
}

TEST(Program, OutputThatCannotBeWrittenIsAnError) {
  for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
           {"presets", "quick"}, {"man"}, {"completion", "bash"}, {"info"}, {"fields"}, {"--help"}, {"--version"}}) {
    const Outcome o = kith(words, {}, "/dev/full");
    EXPECT_EQ(o.status, 1) << words[0];
    EXPECT_EQ(o.err, "kith: error: standard output: cannot write: No space left on device\n") << words[0];
  }
}

TEST(Program, PresetsAreListedAndPrinted) {
  const Outcome all = kith({"presets"});
  EXPECT_EQ(all.status, 0);
  EXPECT_TRUE(all.out.starts_with("quick                Minutes on two cores")) << all.out;
  std::istringstream lines(all.out);
  std::vector<std::string> named, texts;  // a name, a gap, whole sentences
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80u) << line;
    if (line[0] == ' ') {
      texts.back() += line.substr(line.find_first_not_of(' ') - 1);
      continue;
    }
    named.push_back(line.substr(0, line.find(' ')));
    texts.push_back(line.substr(line.find_first_not_of(' ', line.find(' '))));
  }
  EXPECT_EQ(named, preset_names());
  for (const std::string& text : texts) EXPECT_TRUE(text.ends_with('.') && !text.ends_with(" al.")) << text;
  EXPECT_NE(
      std::ranges::find(texts,
                        "ImageNet, 50 classes, as published: MoCo v2 features (He et al., Chen et al. 2020), then "
                        "SCAN's heads alone (Van Gansbeke et al., ECCV 2020). For several GPUs, or for weights "
                        "that were trained (kith import)."),
      texts.end());
  EXPECT_NE(kith({"presets", "paper-cifar10"}).out.find("epochs = 500"), std::string::npos);
  expect_error({"presets", "quik"}, 1,
               "quik: neither a preset nor a readable file; the nearest is quick; kith presets lists them");
}

// 2 where the command line does not parse, 1 where what it names is not as it must be (docs/runs.md).
TEST(Program, TheStatusTellsTheCommandLineFromTheRest) {
  for (const char* command : {"predict", "features", "neighbours", "sort", "gallery"}) {
    std::vector<std::string> words = {command, "--run", "none"};
    if (words[0] == "features") words.insert(words.end(), {"--out", "F.npy"});
    if (words[0] == "gallery") words.insert(words.end(), {"--out", "G"});
    if (words[0] == "sort") words.insert(words.end(), {"--into", "S"});
    expect_error(words, 2, "picture files or --data is required (kith " + words[0] + " --help)");
    words.emplace_back("x.png");
    expect_error(words, 1, "none: no run directory (it has no config.toml)");
  }
  expect_error({"predict", "--run", "none", "x.png", "--data", "folder:x"}, 2,
               "--data excludes files (kith predict --help)");
  expect_error({"graph", "--out", "g.npz"}, 2, "--run or --neighbours is required (kith graph --help)");
  expect_error({"run", "--out", "x", "--data", "mnist:x", "--seeds", "1,x"}, 2,
               "--seeds: expected whole numbers between commas, as in 0,1,2, or 0-2; found '1,x' (kith run "
               "--help)");
  for (const auto& [option, value, set] : {std::tuple{"--seed", "3", "seed=4"},
                                           {"--threads", "1", "threads=1"},
                                           {"--precision", "f32", "precision=f32"},
                                           {"--data", "mnist:x", "data.spec=mnist:y"}})
    for (const char* command : {"run", "cluster"})
      expect_error({command, "--out", "x", option, value, "--set", set}, 2,
                   fmt::format("{} and --set {}=... are the same setting; expected one of them (kith {} --help)",
                               option, std::string_view(set).substr(0, std::string_view(set).find('=')), command));
  expect_error({"run", "--seeds", "0,1", "--out", "x", "--threads", "1", "--set", "threads=2"}, 2,
               "--threads and --set threads=... are the same setting; expected one of them (kith run --help)");
  expect_error({"cluster", "--features", "none.npy", "--clusters", "1", "--out", "x"}, 2,
               "--clusters: expected a number from 2 to 1000000, several with commas, or auto; found '1' (kith cluster "
               "--help)");
}

// As a variable of the shell that is not set leaves it: the word behind is no value.
TEST(Program, AnOptionWithNothingBehindItsSignIsNamed) {
  const std::string expected = ": nothing is behind the sign; expected a value (kith ";
  for (const char* option : {"--seeds", "--seed", "--data", "--out", "--set", "--threads"})
    expect_error({"run", std::string(option) + "=", "0,1", "--preset", "quick"}, 2, option + expected + "run --help)");
  expect_error({"data", "fetch", "mnist", "--root=", "x"}, 2, "--root" + expected + "data fetch --help)");
  expect_error({"run", "--out", "x", "--dry-run="}, 2,
               "--dry-run: expected without a sign behind it (kith run --help)");
  expect_error({"run", "--sedes=", "1"}, 2, "kith run has no option --sedes; the nearest is --seeds (kith run --help)");
}

// What the system says, behind the path that it says it of.
TEST(Program, ANameThatIsTooLongIsSaidPlainly) {
  const std::string name(300, 'n'), what = ": File name too long; expected names of at most 255 bytes";
  expect_error({"run", "--out", name}, 1, name + "/config.toml" + what);
  expect_error({"run", "--data", "folder:" + name, "--out", "x"}, 1, name + what);
  expect_error({"predict", "--run", name, "x.png"}, 1, name + "/config.toml" + what);
  expect_error({"import", name, "--data", "mnist:x", "--out", "x"}, 1, name + what);
}

// Nothing is said of a device before.
TEST(Program, RowsThatAreNotThereAreRefusedInOneLine) {
  expect_error({"mine", "--features", "none.npy", "--out", "I.npy"}, 1,
               "none.npy: cannot open: No such file or directory");
}

TEST(Program, DataErrorsAreOneLine) {
  const Outcome o = kith({"data", "info", "cifar10:/nowhere"});
  EXPECT_EQ(o.status, 1);
  EXPECT_TRUE(o.err.starts_with("kith: error: ")) << o.err;
  EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
}

}  // namespace
}  // namespace kith::test
