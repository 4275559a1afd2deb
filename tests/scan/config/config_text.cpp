// Encodings, damaged files, data sets that are named wrong, and how values may be written on the command line.
#include "scan/config/config_text.h"

#include <gtest/gtest.h>

#include <fstream>

#include "data/formats/text.h"
#include "scan/config/config.h"
#include "scan/config/presets.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using test::error_of;

class PresetFile : public testing::Test {
 protected:
  std::string path() const { return (folder_.path() / "p.toml").string(); }
  RunConfig load(const std::string& text) {
    std::ofstream(path(), std::ios::binary) << text;
    return load_config(path(), {});
  }
  // Without the path that every message begins with.
  std::string fails(const std::string& text) {
    const std::string message = error_of([&] { load(text); });
    EXPECT_TRUE(message.starts_with(path() + ":")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message.substr(std::min(message.size(), path().size() + 1));
  }
  test::Folder folder_{"config_text"};
};

std::string utf16(const std::string& text, bool little) {
  std::string out = little ? "\xFF\xFE" : "\xFE\xFF";
  for (const char c : text) out += little ? std::string{c, '\0'} : std::string{'\0', c};
  return out;
}

TEST_F(PresetFile, MayBeginWithAMark) {
  EXPECT_EQ(load("\xEF\xBB\xBF[mine]\nk = 7\n").mine.k, 7);
  EXPECT_EQ(load("\xEF\xBB\xBF# caf\xC3\xA9 \xF0\x9F\x90\x88\r\n[mine]\r\nk = 8\r\n").mine.k, 8);
}

TEST_F(PresetFile, QuotesALineBreakAsCode) {
  EXPECT_NE(fails("[cluster]\nfrozen = tru\n").find("\\x0a"), std::string::npos);  // toml++ quotes what it saw
}

TEST_F(PresetFile, IsReadAsUtf8Only) {
  for (const bool little : {true, false})
    EXPECT_EQ(fails(utf16("[mine]\nk = 7\n", little)), "1: expected UTF-8 text; found UTF-16, or no text at all");
  EXPECT_EQ(fails(std::string("k = 1\n\0\0\0", 9)), "1: expected UTF-8 text; found UTF-16, or no text at all");
  EXPECT_EQ(fails("[mine]\n# caf\xE9\nk = 7\n"),
            "2: expected UTF-8 text; found the byte 0xE9 of another encoding (Latin-1?)");
}

TEST(Utf8, IsTheShortestFormOfACharacter) {
  for (const char* good : {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEF\xBF\xBF",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(data::is_utf8(good)) << good;
  // A lone continuation, too long a form, a surrogate, beyond the last character, cut short.
  for (const char* bad : {"\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xC2", "\xE2\x82", "\xC2\x41", "\xFF"})
    EXPECT_FALSE(data::is_utf8(bad)) << bad;
}

TEST_F(PresetFile, DuplicatesNameTheLine) {
  EXPECT_TRUE(fails("[mine]\nk = 1\nk = 2\n").starts_with("3: "));
  EXPECT_TRUE(fails("[mine]\nk = 1\n[mine]\nk_test = 2\n").starts_with("3: "));
  EXPECT_TRUE(fails("[mine]\nk = 1\n[pretext\n").starts_with("3: "));
  EXPECT_TRUE(fails("mine.k = 1\n[for.mnist]\nmine.k = 2\n[for.mnist]\n").starts_with("4: "));
}

TEST_F(PresetFile, SectionsAreForDataSetsThatAre) {
  EXPECT_EQ(fails("[for.cifar-frmat]\nmine.k = 3\n"),
            "1: for.cifar-frmat: no data set has the name 'cifar-frmat'; the nearest is cifar-format");
  EXPECT_EQ(fails("\n[for.Cifar-Format]\n"),
            "2: for.Cifar-Format: no data set has the name 'Cifar-Format'; the nearest is cifar-format");
  EXPECT_EQ(fails("[for.\"cifar10 \"]\n"),
            "1: for.cifar10 : no data set has the name 'cifar10 '; the nearest is cifar10");
  EXPECT_EQ(fails("[for.fashion_mnist.mine]\nk = 3\n"),
            "1: for.fashion_mnist: no data set has the name 'fashion_mnist'; the nearest is fashion-mnist");
  EXPECT_EQ(fails("for.mnist = 3\n"), "1: for.mnist: expected a table; found 3");
  EXPECT_EQ(fails("for = 3\n"), "1: for: expected tables [for.NAME]; found 3");
  for (const std::string& name : data::dataset_names()) EXPECT_EQ(load("[for." + name + "]\nmine.k = 3\n").mine.k, 20);
}

TEST_F(PresetFile, SaysWhatItIsMadeFor) {
  EXPECT_EQ(load("made_for = [\"cifar10\", \"mnist\"]\nmine.k = 3\n").mine.k, 3);
  EXPECT_EQ(made_for(path()), (std::vector<std::string>{"cifar10", "mnist"}));
  EXPECT_EQ(fails("made_for = [\"cifar-frmat\"]\n"),
            "1: made_for: no data set has the name 'cifar-frmat'; the nearest is cifar-format");
  EXPECT_EQ(fails("made_for = \"cifar10\"\n"),
            "1: made_for: expected a list of data sets, [\"cifar10\"]; found 'cifar10'");
  EXPECT_EQ(fails("made_for = [1]\n"), "1: made_for: expected a list of data sets, [\"cifar10\"]; found [ 1 ]");
}

TEST_F(PresetFile, TooLargeIsNoConfiguration) {
  EXPECT_EQ(error_of([&] { load(std::string((1 << 20) + 1, ' ')); }),
            path() + ": larger than 1 MiB, which is no configuration");
  EXPECT_EQ(load(std::string(1 << 20, ' ')).mine.k, 20);
}

std::string repeated(const std::string& text, size_t times) {
  std::string out;
  while (times-- > 0) out += text;
  return out;
}

// As many as fit in 1 MiB would end with a stack that is full, where toml++ takes its tables down.
TEST_F(PresetFile, KeysHaveFewParts) {
  const std::string refused = "expected a key of at most 16 parts";
  EXPECT_EQ(fails("[mine]\n" + repeated("a.", 16) + "a = 1\n"), "2: " + refused);
  EXPECT_NE(fails(repeated("a.", 15) + "a = 1\n").find("unknown field"), std::string::npos);
  EXPECT_EQ(fails("[" + repeated("a . \"b\".'c'.", 6) + "a]\n"), "1: " + refused);
  EXPECT_EQ(fails("x = [\"\"\"a\"\"\"\"\", {" + repeated("a.", 16) + "a=1}]\n"), "1: " + refused);
  EXPECT_EQ(fails(repeated("a.", (1 << 19) - 3) + "a=1\n"), "1: " + refused);
  const std::string points(20, '.');
  EXPECT_EQ(load("# " + points + "\n[data]\nspec = \"a\\\"" + points + "\" # " + points + "\n").data.spec,
            "a\"" + points);
  EXPECT_EQ(load("[data]\nspec = '''\na'" + points + "'''\n").data.spec, "a'" + points);
  EXPECT_EQ(load("pretext.schedule.milestones = [" + repeated("1.5, ", 20) + "2.5]\n")
                .pretext.train.schedule.milestones.size(),
            21U);
}

// Whatever a file holds, a message is one line, and no longer than one reads.
TEST_F(PresetFile, WhatIsLongIsShownByItsBeginning) {
  const std::string list = fails("[mine]\nk = [" + repeated("1, ", 300) + "2]\n");
  EXPECT_TRUE(list.starts_with("2: mine.k: expected an integer, at least 0; found [ 1, 1, 1, ")) << list;
  EXPECT_TRUE(list.ends_with("...")) << list;
  EXPECT_LT(list.size(), 300U);
  // A long name is not compared with that of every field: the product of their lengths is minutes for a file of 1 MiB.
  EXPECT_EQ(fails(std::string(101, 'k') + " = 1\n"),
            "1: unknown field " + std::string(100, 'k') + "...; kith fields lists those that are");
  EXPECT_NE(fails(std::string(100, 'k') + " = 1\n").find("; the nearest is "), std::string::npos);
  EXPECT_LT(fails("[for." + std::string(1 << 19, 'k') + "]\n").size(), 400U);
}

TEST(Nearest, IsNoneWhereMostCharactersAreOthers) {
  const std::vector<std::string> known = {"mine", "cluster", "abcdef"};
  EXPECT_EQ(data::nearest_hint("mien", known), "; the nearest is mine");
  EXPECT_EQ(data::nearest_hint("minexxxx", known), "; the nearest is mine");  // half of them
  EXPECT_EQ(data::nearest_hint("minexxxxx", known), "");
  EXPECT_EQ(data::nearest_hint("abc", known), "; the nearest is abcdef");
  EXPECT_EQ(data::nearest_hint("ab", known), "");
  EXPECT_EQ(data::nearest_hint("", {}), "");
  EXPECT_EQ(data::edit_distance("abcd", "badc"), 2U);  // two swaps
  EXPECT_EQ(data::edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(data::edit_distance("", "ab"), 2U);
}

// A run writes every section; a file cut short would be read as another configuration.
TEST_F(PresetFile, ARunsConfigurationIsWhole) {
  const std::string text = to_toml(load_config("quick", {}));
  EXPECT_EQ(load(text).preset, "quick");
  const std::string message = error_of([&] { load(text.substr(0, text.find("[cluster]"))); });
  EXPECT_EQ(
      message,
      path() +
          ": has the field preset, as only a run's config.toml does, but no section [cluster]: if the file was cut "
          "short, restore it or begin another run directory; if it is a preset of your own, remove that field (kith "
          "presets NAME prints one to begin with)");
  // Runs from before there was refinement.
  const size_t refine = text.find("[refine]"), evaluate = text.find("[evaluate]");
  EXPECT_FALSE(load(text.substr(0, refine) + text.substr(evaluate)).refine.enabled);
  EXPECT_NE(error_of([&] { load(text.substr(0, refine)); }).find("no section [evaluate]"), std::string::npos);
  EXPECT_NE(error_of([&] { load(text.substr(0, text.find("[cluster]") + 5)); }).find(path() + ":"), std::string::npos);
}

TEST_F(PresetFile, FieldsThatDoNotFitTogetherNameTheLine) {
  EXPECT_EQ(fails("\nmodel.depth = 101\n"), "2: model.depth: expected 18, 34 or 50; found 101");
  EXPECT_EQ(fails("cluster.classes = 1\n"),
            "1: cluster.classes: expected 0 (as many as the data set has) or at least 2; found 1");
  EXPECT_EQ(fails("[pretext.schedule]\nkind = \"step\"\nmilestones = [5, 2]\n"),
            "3: pretext.schedule.milestones: expected ascending epochs");
  EXPECT_EQ(
      error_of([] { load_config("quick", {"cluster.classes=1"}); }),
      "--set cluster.classes=1: cluster.classes: expected 0 (as many as the data set has) or at least 2; found 1");
}

TEST(Override, SpacesMeanNothing) {
  for (const char* text : {"cluster.classes=4", "cluster.classes = 4", " cluster.classes\t=4 "})
    EXPECT_EQ(load_config("quick", {text}).cluster.classes, 4) << text;
  EXPECT_EQ(load_config("quick", {"data.spec = cifar10:/a folder/x "}).data.spec, "cifar10:/a folder/x");
}

TEST(Override, NumbersAreReadAsPeopleWriteThem) {
  const auto lr = [](const std::string& text) {
    return load_config("quick", {"pretext.schedule.lr=" + text}).pretext.train.schedule.lr;
  };
  for (const char* text : {".002", "0.002", "2e-3", "+.002", "2E-3", "+0.002", ".2e-2"})
    EXPECT_EQ(lr(text), 0.002) << text;
  EXPECT_EQ(lr("5."), 5.0);
  EXPECT_EQ(lr("+1"), 1.0);
  EXPECT_EQ(load_config("quick", {"mine.k=+7"}).mine.k, 7);
}

TEST(Override, WhatIsNoNumberIsShownAsItWasWritten) {
  const auto fails = [](const std::string& text) {
    const std::string message = error_of([&] { load_config("quick", {text}); });
    return message.substr(std::min(message.size(), message.find(": ") + 2));
  };
  EXPECT_EQ(fails("mine.k=1e3"), "mine.k: expected an integer, at least 0; found 1e3");
  EXPECT_EQ(fails("mine.k=.5"), "mine.k: expected an integer, at least 0; found '.5'");
  EXPECT_EQ(fails("mine.k="), "mine.k: expected an integer, at least 0; found ''");
  EXPECT_EQ(fails("pretext.tau=.2x"), "pretext.tau: expected a number, at least 1e-06; found '.2x'");
  EXPECT_EQ(fails("pretext.tau=\".2\""), "pretext.tau: expected a number, at least 1e-06; found '.2'");
  EXPECT_EQ(fails("seed=18446744073709551615"),
            "seed: expected an integer, at least 0 and at most 9223372036854775807; found '18446744073709551615'");
  EXPECT_EQ(fails("mine.k=3\nseed=4"), "mine.k: expected an integer, at least 0; found '3 seed=4'");
  EXPECT_EQ(fails("mine.k=it's"), "mine.k: expected an integer, at least 0; found \"it's\"");
}

TEST(Override, StringsAreTheTextItself) {
  EXPECT_EQ(load_config("quick", {"data.spec=5"}).data.spec, "5");
  EXPECT_EQ(load_config("quick", {"data.spec='a b'"}).data.spec, "a b");
  EXPECT_NE(error_of([] { load_config("quick", {"data.spec=cifar10:caf\xE9"}); }).find("expected a string in UTF-8"),
            std::string::npos);
}

TEST(Override, ATableSetsASection) {
  const RunConfig c = load_config("quick", {"mine={k=3, k_test=4}"});
  EXPECT_EQ(c.mine.k, 3);
  EXPECT_EQ(c.mine.k_test, 4);
  EXPECT_NE(
      error_of([] { load_config("quick", {"mine={kk=3}"}); }).find("unknown field mine.kk; the nearest is mine.k"),
      std::string::npos);
}

}  // namespace
}  // namespace kith
