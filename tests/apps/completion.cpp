// What the script of kith completion makes of a line, asked of bash itself.
#include <gtest/gtest.h>

#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/apps/program.h"

namespace kith::test {
namespace {

// The answers to a line whose last word is being typed.
std::string completed(const std::string& words) {
  const std::string script = std::string("eval \"$('") + KITH_PROGRAM + "' completion bash)\"; COMP_WORDS=(" + words +
                             "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _kith; echo ${COMPREPLY[@]}";
  FILE* pipe = popen(("bash -c '" +
                      [&] {
                        std::string quoted;
                        for (const char c : script) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
                        return quoted;
                      }() +
                      "'")
                         .c_str(),
                     "r");
  std::string out;
  for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe)) != EOF;) out += static_cast<char>(c);
  EXPECT_EQ(pclose(pipe), 0);
  return out;
}

TEST(Completion, KnowsCommandsOptionsPresetsAndFields) {
  EXPECT_EQ(completed("kith pre"), "pretext predict presets\n");
  EXPECT_EQ(completed("kith data f"), "fetch\n");
  EXPECT_EQ(completed("kith run --see"), "--seed --seeds\n");
  EXPECT_EQ(completed("kith data info --she"), "--sheet\n");
  EXPECT_EQ(completed("kith run --preset moco"), "moco-cifar10\n");
  EXPECT_EQ(completed("kith run --set cluster.lam"), "cluster.lambda=\n");
  EXPECT_EQ(completed("kith fields eval"),
            "evaluate evaluate.knn_k evaluate.knn_tau evaluate.kmeans_restarts evaluate.probe\n");
  EXPECT_EQ(completed("kith run --out runs/"), "\n");  // files, which bash adds
}

TEST(Completion, KnowsTheValuesOfOptionsAndFields) {
  EXPECT_EQ(completed("kith run --stream a"), "auto\n");
  EXPECT_EQ(completed("kith predict --split te"), "test\n");
  EXPECT_EQ(completed("kith graph --split \"\""), "train test\n");
  EXPECT_EQ(completed("kith features --stage pre"), "pretext\n");
  EXPECT_EQ(completed("kith predict --stage pre"), "\n");  // has no clusters
  EXPECT_EQ(completed("kith export --stage \"\""), "cluster selflabel refine\n");
  EXPECT_EQ(completed("kith run --precision b"), "bf16\n");
  EXPECT_EQ(completed("kith cluster --normalize \"\""), "yes no\n");
  EXPECT_EQ(completed("kith compare --format m"), "markdown\n");
  EXPECT_EQ(completed("kith data fetch ci"), "cifar10 cifar100 cifar20\n");
  EXPECT_EQ(completed("kith run --stream = a"), "auto\n");  // --stream=a, as bash parts it
  EXPECT_EQ(completed("kith run --set pretext.task = s"), "simclr\n");
  EXPECT_EQ(completed("kith run --set pretext.task ="), "simclr moco byol rotnet\n");
  EXPECT_EQ(completed("kith run --set pretext.task=s"), "pretext.task=simclr\n");  // as zsh gives it
  EXPECT_EQ(completed("kith run --set selflabel.enabled = f"), "false\n");
  EXPECT_EQ(completed("kith run --set mine.k = 5"), "\n");
}

TEST(Completion, IsForBashAndZsh) {
  EXPECT_TRUE(kith({"completion", "zsh"}).out.starts_with("autoload -U +X bashcompinit"));
  EXPECT_EQ(kith({"completion", "fish"}).status, 2);
  EXPECT_EQ(kith({"completion"}).status, 2);
}

// Every command and option has its place, and no line of a text is taken for a request of roff.
TEST(ManPage, HasEveryCommandAndNoStrayRequest) {
  const std::string page = kith({"man"}).out;
  for (const char* has :
       {".TH KITH 1", ".SS run\n", ".SS data fetch\n", ".B \\-\\-min\\-confidence\n", ".SS watch\n", "\nExamples:\n"})
    EXPECT_NE(page.find(has), std::string::npos) << has;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(".")) {
      const std::string request = line.substr(0, line.find(' '));
      EXPECT_NE(std::string(".TH .SH .SS .TP .B .I .RI .PP .nf .fi ").find(request + " "), std::string::npos) << line;
    }
    EXPECT_FALSE(line.starts_with("'")) << line;
  }
}

}  // namespace
}  // namespace kith::test
