// cuda_budget: prints what every kernel of a CUDA build uses and compares it with kernels/cuda/budget.toml.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>

#include "kernels/core/check.h"
#include "tests/budget/budget.h"

namespace {

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file);
  kith::check(in.good(), fmt::format("cannot read {}", file.string()));
  return {std::istreambuf_iterator<char>(in), {}};
}

int run(const std::filesystem::path& file, const std::vector<std::string>& objects, const std::string& compiler,
        bool write) {
  using namespace kith::budget;
  Measured measured;
  for (const std::string& object : objects) {
    const std::string stem = std::filesystem::path(object).stem().stem().string();  // ntxent.cu.o -> ntxent
    read_report(stem, read(object + ".ptxas"), measured);
  }
  if (write) {
    std::ofstream(file) << write_budget(measured, compiler);
    fmt::print("{}{} written\n", table(measured, {}), file.string());
    return 0;
  }
  const std::string text = read(file), theirs = compiler_of(text, file.string());
  const Budget budget = parse_budget(text, file.string());
  fmt::print("{}", table(measured, budget));
  const std::vector<std::string> found =
      violations(measured, budget, compiler == theirs ? Compiler::same : Compiler::other);
  if (compiler != theirs)
    fmt::print("warning: the budget is of {}, this is {}: registers and stack above it are no fault\n", theirs,
               compiler);
  for (const std::string& line : found) fmt::print("{}\n", line);
  fmt::print("{} kernels, {} violations\n", measured.size(), found.size());
  return found.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Compares what the kernels of a CUDA build use with a budget.", "cuda_budget");
  std::string file, compiler;
  std::vector<std::string> objects;
  bool write = false;
  app.add_option("--budget", file, "budget.toml")->required();
  app.add_option("--compiler", compiler, "what compiled the objects: nvcc 13.0.48")->required();
  app.add_option("objects", objects, "objects of .cu files, each with its .ptxas report beside it")->required();
  app.add_flag("--write", write, "write the file anew, as measured, instead of comparing");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(file, objects, compiler, write);
  } catch (const std::exception& e) {
    fmt::print(stderr, "cuda_budget: {}\n", e.what());
    return 1;
  }
}
