#include "tests/structure/structure.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace kith::test {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

TEST(Structure, TheTreeKeepsTheRules) {
  const Findings found = inspect(KITH_SOURCE_DIR);
  EXPECT_GT(found.files, 500);
  EXPECT_GT(found.includes, 1000);
  EXPECT_TRUE(found.violations.empty()) << joined(found.violations);
  std::cout << joined(found.long_files);
}

// KITH_LINKS lists "kith_nn>kith_kernels" for every link of one part of the house to another, as CMake has them.
TEST(Structure, LinkLinesStateTheSameGraph) {
  std::istringstream links(KITH_LINKS);
  int count = 0;
  const auto layer = [](const std::string& target) { return target.substr(target.find('_') + 1); };
  for (std::string link; links >> link; ++count) {
    const size_t arrow = link.find('>');
    const std::string from = layer(link.substr(0, arrow)), to = layer(link.substr(arrow + 1));
    EXPECT_TRUE(may_include(from, to)) << "kith_" << from << " links kith_" << to;
  }
  EXPECT_GE(count, 3);
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// A link of a text is a path from its own folder.
TEST(Texts, TheirLinksLeadSomewhere) {
  const std::filesystem::path root = KITH_SOURCE_DIR;
  std::vector<std::filesystem::path> texts;
  for (const auto& entry : std::filesystem::directory_iterator(root))
    if (entry.path().extension() == ".md") texts.push_back(entry.path());
  for (const char* folder : {"docs", "bench", "tests", "findings"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder))
      if (entry.path().extension() == ".md") texts.push_back(entry.path());
  const std::regex link(R"(\]\(([^)#\s]*)(#[^)\s]*)?\))");
  int count = 0;
  for (const auto& text : texts) {
    const std::string body = text_of(text);
    for (std::sregex_iterator at(body.begin(), body.end(), link), end; at != end; ++at) {
      const std::string to = (*at)[1];
      if (to.starts_with("http") || to.empty()) continue;
      EXPECT_TRUE(std::filesystem::exists(text.parent_path() / to)) << text.string() << ": " << to;
      ++count;
    }
  }
  EXPECT_GE(count, 30);
}

// tests/METHOD.md says which test shows what, tests/simt/MUTATIONS.md which one fails when a kernel is wrong.
TEST(MethodTable, NamesTestsThatExist) {
  const std::filesystem::path root = KITH_SOURCE_DIR;
  std::set<std::string> tests;
  const std::regex test(R"(TEST(?:_F|_P)?\((\w+),\s*(\w+)\))"), named(R"(`([A-Za-z_]\w*)\.([A-Za-z_]\w*)(\*?)`)");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "tests")) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string text = text_of(entry.path());
    for (std::sregex_iterator at(text.begin(), text.end(), test), end; at != end; ++at)
      tests.insert((*at)[1].str() + "." + (*at)[2].str());
  }
  for (const auto& [file, fewest] : {std::pair{"tests/METHOD.md", 50}, {"tests/simt/MUTATIONS.md", 100}}) {
    const std::string table = text_of(root / file);
    int count = 0;
    for (std::sregex_iterator at(table.begin(), table.end(), named), end; at != end; ++at, ++count)
      EXPECT_TRUE(tests.contains((*at)[1].str() + "." + (*at)[2].str())) << file << ": " << (*at)[0];
    EXPECT_GE(count, fewest) << file;
  }
}

// A small tree with one fault of each kind.
class FaultyTree : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    root_ = std::filesystem::path(testing::TempDir()) / ("kith_structure_" + name);
    std::filesystem::remove_all(root_);
    write("nn/tensor/tensor.h", "#pragma once\n");
    write("data/dataset/dataset.h", "#pragma once\n");
    write("kernels/topk.h", "// #include \"nn/tensor/tensor.h\" is only a comment\n");
    write("scan/stages/stages.h", "#include \"nn/tensor/tensor.h\"\n#include \"data/dataset/dataset.h\"\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::filesystem::path root_;
};

TEST_F(FaultyTree, ASoundTreePasses) { EXPECT_EQ(joined(inspect(root_).violations), ""); }

TEST_F(FaultyTree, AnIncludeAgainstTheGrainIsNamed) {
  write("kernels/bad.cpp", "\n  #  include  \"nn/tensor/tensor.h\"  // why not\n");
  write("data/bad.cpp", "#include \"kernels/topk.h\"\n");
  write("nn/bad.cpp", "#include \"data/dataset/dataset.h\"\n");
  EXPECT_EQ(joined(inspect(root_).violations),
            "data/bad.cpp:1: data/ may not include kernels/ (\"kernels/topk.h\")\n"
            "kernels/bad.cpp:2: kernels/ may not include nn/ (\"nn/tensor/tensor.h\")\n"
            "nn/bad.cpp:1: nn/ may not include data/ (\"data/dataset/dataset.h\")\n");
}

TEST_F(FaultyTree, AnIncludeAgainstTheGrainOfTheRoomsIsNamed) {
  write("scan/train/trainer.h", "#pragma once\n");
  write("scan/metrics/bad.cpp", "#include \"scan/train/trainer.h\"\n");
  write("scan/stages/good.cpp", "#include \"scan/train/trainer.h\"\n");
  EXPECT_EQ(joined(inspect(root_).violations),
            "scan/metrics/bad.cpp:1: scan/metrics/ may not include scan/train/ (\"scan/train/trainer.h\")\n");
}

TEST_F(FaultyTree, APathThatIsNotFromTheRootIsNamed) {
  write("nn/bad.cpp", "#include \"tensor.h\"\n");
  EXPECT_EQ(joined(inspect(root_).violations),
            "nn/bad.cpp:1: \"tensor.h\" is not a path from the root of the repository\n");
}

TEST_F(FaultyTree, WhatABackendKeepsToItselfIsNamed) {
  write("kernels/cpu/lists.h", "#pragma once\n");
  write("kernels/good.cpp", "#include \"kernels/cpu/lists.h\"\n");
  write("tests/good.cpp", "#include \"kernels/cpu/lists.h\"\n");
  write("scan/bad.cpp", "#include \"kernels/cpu/lists.h\"\n");
  EXPECT_EQ(joined(inspect(root_).violations), "scan/bad.cpp:1: \"kernels/cpu/lists.h\" is for the files beside it\n");
}

TEST_F(FaultyTree, AContractThatNeedsCudaIsNamed) {
  write("kernels/bad.h", "#include <cuda_runtime.h>\n");
  write("kernels/cuda/good.h", "#include <cuda_runtime.h>\n");
  EXPECT_EQ(joined(inspect(root_).violations), "kernels/bad.h:1: a contract header may not include <cuda_runtime.h>\n");
}

TEST_F(FaultyTree, LengthIsReportedAndThenRefused) {
  const auto lines = [](int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += "\n";
    return text;
  };
  write("nn/budget.cpp", lines(kLineBudget));
  write("nn/long.cpp", lines(kLineBudget + 1));
  write("nn/limit.cpp", lines(kLineLimit));
  write("nn/over.cpp", lines(kLineLimit + 1));
  const Findings found = inspect(root_);
  EXPECT_EQ(joined(found.violations), "nn/over.cpp: 321 lines, at most 320 are allowed\n");
  EXPECT_EQ(found.long_files.size(), 2u);
}

}  // namespace
}  // namespace kith::test
