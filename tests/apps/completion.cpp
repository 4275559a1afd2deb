// What the script of kith completion makes of a line, asked of bash itself.
#include <gtest/gtest.h>

#include <cstdio>
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

TEST(Completion, IsForBashAndZsh) {
  EXPECT_TRUE(kith({"completion", "zsh"}).out.starts_with("autoload -U +X bashcompinit"));
  EXPECT_EQ(kith({"completion", "fish"}).status, 2);
  EXPECT_EQ(kith({"completion"}).status, 2);
}

}  // namespace
}  // namespace kith::test
