#include "tests/budget/budget.h"

#include <cxxabi.h>
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "kernels/core/check.h"

namespace kith::budget {
namespace {

constexpr int kRegisterUnit = 8;
constexpr int kMostStatic = 16 << 10;  // kernels/cuda/core/launch.cuh counts on it

constexpr std::string_view kHeader =
    R"(# What each kernel of kernels/cuda may use; compared with the compiler's report in every CUDA build (make cuda).
#
#   [FILE]                                             # kernels/cuda/FILE.cu
#   KERNEL = {sm_80 = 40, sm_90a = 40, shared = 32}    # registers per thread by architecture; shared: static bytes per
#                                                      # block, stack: bytes per thread; 0 where not given
#
# A kernel template has one line: the largest of its instantiations. Registers spilled to memory are never allowed, nor what
# ptxas calls a potential performance loss: products of warpgroups that it lets run one by one only. A kernel without a line
# fails, and so does a line without a kernel. After adding or changing one:
#
#   cmake --preset cuda && cmake --build --preset cuda --target budget     # writes this file anew, as measured
#
# then look at the difference: more registers or a stack frame want a reason. Registers are given to warps eight at a
# time, so measured numbers are rounded up to the next eight. `compiler` made these numbers; with another, registers and
# stack are shown beside them and are no failure.
)";

// The number that stands before `what` in `line`, 0 when `what` is not there.
int number_before(std::string_view line, std::string_view what) {
  const size_t end = line.find(what);
  if (end == std::string_view::npos) return 0;
  size_t begin = end;
  while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9') --begin;
  int value = 0;
  const auto [_, error] = std::from_chars(line.data() + begin, line.data() + end, value);
  check(error == std::errc{}, fmt::format("no number before '{}' in '{}'", what, line));
  return value;
}

toml::table parse_toml(const std::string& text, const std::string& source) {
  try {
    return toml::parse(text, source);
  } catch (const toml::parse_error& e) {
    throw Error(fmt::format("{}:{}: {}", source, e.source().begin.line, e.description()));
  }
}

std::string quoted(const std::string& line, int index) {
  std::istringstream in(line);
  std::string part;
  for (int i = 0; i <= 2 * index + 1; ++i) check(bool(std::getline(in, part, '\'')), "no quoted name in: " + line);
  return part;
}

}  // namespace

std::string compiler_of(const std::string& text, const std::string& source) {
  const toml::table root = parse_toml(text, source);
  if (!root.contains("compiler")) return {};
  check(root["compiler"].is_string(), source + ": compiler is not a text");
  return root["compiler"].as_string()->get();
}

std::string function_name(const std::string& mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), std::free);
  std::string name = status == 0 ? demangled.get() : mangled;
  constexpr std::string_view kAnonymous = "(anonymous namespace)::";
  for (size_t at; (at = name.find(kAnonymous)) != std::string::npos;) name.erase(at, kAnonymous.size());
  name.resize(std::min(name.find_first_of("<("), name.size()));
  const size_t before = name.find_last_of(": ");
  return before == std::string::npos ? name : name.substr(before + 1);
}

void read_report(const std::string& stem, const std::string& text, Measured& out) {
  check(text.starts_with("ptxas info") || text.find("\nptxas info") != std::string::npos,
        stem + ".cu: no report of ptxas was kept when it was compiled");
  std::istringstream in(text);
  Usage* kernel = nullptr;
  bool used = true;
  std::vector<std::string> losses;  // reported ahead of the kernels
  constexpr std::string_view kLoss = "Potential Performance Loss: ";
  for (std::string line; std::getline(in, line);) {
    if (const size_t at = line.find(kLoss); at != std::string::npos) {
      const std::string what = line.substr(at + kLoss.size());
      losses.push_back(what.substr(0, what.find(" in the function")));
    } else if (line.find("Compiling entry function") != std::string::npos) {
      check(used, stem + ".cu: the report names no registers for a kernel");
      kernel = &out[{stem, function_name(quoted(line, 0))}][quoted(line, 1)];
      ++kernel->instantiations;
      std::ranges::move(std::exchange(losses, {}), std::back_inserter(kernel->losses));
      used = false;
    } else if (kernel != nullptr && line.find("bytes stack frame") != std::string::npos) {
      kernel->stack_bytes = std::max(kernel->stack_bytes, number_before(line, " bytes stack frame"));
      kernel->spill_bytes = std::max(
          kernel->spill_bytes, number_before(line, " bytes spill stores") + number_before(line, " bytes spill loads"));
    } else if (kernel != nullptr && line.find(" registers") != std::string::npos) {
      kernel->registers = std::max(kernel->registers, number_before(line, " registers"));
      kernel->shared_bytes = std::max(kernel->shared_bytes, number_before(line, " bytes smem"));
      used = true;
    }
  }
  check(used, stem + ".cu: the report names no registers for a kernel");
}

Budget parse_budget(const std::string& text, const std::string& source) {
  Budget budget;
  for (const auto& [file, kernels] : parse_toml(text, source)) {
    if (file.str() == "compiler") continue;
    check(kernels.is_table(), fmt::format("{}: '{}' is not a section [FILE]", source, file.str()));
    for (const auto& [name, line] : *kernels.as_table()) {
      const auto what = fmt::format("{}: {}.{}", source, file.str(), name.str());
      check(line.is_table(), what + " is not of the form {sm_80 = registers, ...}");
      Limits& limits = budget[{std::string(file.str()), std::string(name.str())}];
      for (const auto& [key, value] : *line.as_table()) {
        check(value.is_integer(), fmt::format("{}.{} is not a whole number", what, key.str()));
        const int number = static_cast<int>(value.as_integer()->get());
        if (key == "shared")
          limits.shared_bytes = number;
        else if (key == "stack")
          limits.stack_bytes = number;
        else if (key.str().starts_with("sm_"))
          limits.registers[std::string(key.str())] = number;
        else
          throw Error(fmt::format("{}: unknown key '{}' (sm_80, sm_90a, shared, stack)", what, key.str()));
      }
    }
  }
  return budget;
}

std::string write_budget(const Measured& measured, const std::string& compiler) {
  std::string out = fmt::format("{}\ncompiler = \"{}\"\n", kHeader, compiler), section;
  for (const auto& [kernel, by_architecture] : measured) {
    if (kernel.first != section) out += fmt::format("\n[{}]\n", section = kernel.first);
    std::string fields;
    int shared = 0, stack = 0;
    for (const auto& [architecture, usage] : by_architecture) {
      const int rounded = (usage.registers + kRegisterUnit - 1) / kRegisterUnit * kRegisterUnit;
      fields += fmt::format("{}{} = {}", fields.empty() ? "" : ", ", architecture, rounded);
      shared = std::max(shared, usage.shared_bytes);
      stack = std::max(stack, usage.stack_bytes);
    }
    if (shared > 0) fields += fmt::format(", shared = {}", shared);
    if (stack > 0) fields += fmt::format(", stack = {}", stack);
    out += fmt::format("{} = {{{}}}\n", kernel.second, fields);
  }
  return out;
}

std::vector<std::string> violations(const Measured& measured, const Budget& budget, Compiler compiler) {
  std::vector<std::string> found;
  const auto name = [](const Kernel& k) { return fmt::format("kernels/cuda/{}.cu: {}", k.first, k.second); };
  for (const auto& [kernel, by_architecture] : measured) {
    const auto limits = budget.find(kernel);
    if (limits == budget.end()) found.push_back(name(kernel) + " has no line in the budget");
    for (const auto& [architecture, usage] : by_architecture) {
      const auto above = [&](const char* what, int value, int limit) {
        if (value > limit)
          found.push_back(
              fmt::format("{} on {}: {} {}, the budget is {}", name(kernel), architecture, value, what, limit));
      };
      for (const std::string& loss : usage.losses)
        found.push_back(fmt::format("{} on {}: {}", name(kernel), architecture, loss));
      above("bytes of spilled registers", usage.spill_bytes, 0);
      above("bytes of static shared memory, which launches count on", usage.shared_bytes, kMostStatic);
      if (limits == budget.end()) continue;
      above("bytes of static shared memory", usage.shared_bytes, limits->second.shared_bytes);
      if (compiler == Compiler::same) above("bytes of stack", usage.stack_bytes, limits->second.stack_bytes);
      const auto registers = limits->second.registers.find(architecture);
      if (registers == limits->second.registers.end())
        found.push_back(fmt::format("{}: the budget names no registers for {}", name(kernel), architecture));
      else if (compiler == Compiler::same)
        above("registers", usage.registers, registers->second);
    }
  }
  for (const auto& [kernel, limits] : budget) {
    const auto it = measured.find(kernel);
    if (it == measured.end()) found.push_back(name(kernel) + " is in the budget, but the build has no such kernel");
    for (const auto& [architecture, _] : limits.registers)
      if (it != measured.end() && !it->second.contains(architecture))
        found.push_back(fmt::format("{} was not built for {}", name(kernel), architecture));
  }
  return found;
}

std::string table(const Measured& measured, const Budget& budget) {
  std::set<std::string> architectures;
  for (const auto& [_, by_architecture] : measured)
    for (const auto& [architecture, __] : by_architecture) architectures.insert(architecture);
  std::string out = fmt::format("{:<22}{:<26}{:>6}", "file", "kernel", "forms");
  for (const auto& architecture : architectures) out += fmt::format("{:>14}", architecture + " regs");
  out += fmt::format("{:>9}{:>7}{:>7}\n", "shared B", "stack", "spill");
  for (const auto& [kernel, by_architecture] : measured) {
    const auto limits = budget.find(kernel);
    Usage most;
    std::string registers;
    for (const auto& architecture : architectures) {
      const auto it = by_architecture.find(architecture);
      std::string cell = "-";
      if (it != by_architecture.end()) {
        const Usage& u = it->second;
        most = {0, std::max(most.shared_bytes, u.shared_bytes), std::max(most.stack_bytes, u.stack_bytes),
                std::max(most.spill_bytes, u.spill_bytes), std::max(most.instantiations, u.instantiations)};
        cell = std::to_string(u.registers);
        if (limits != budget.end() && limits->second.registers.contains(architecture))
          cell += fmt::format(" of {}", limits->second.registers.at(architecture));
      }
      registers += fmt::format("{:>14}", cell);
    }
    out += fmt::format("{:<22}{:<26}{:>6}{}{:>9}{:>7}{:>7}\n", kernel.first, kernel.second, most.instantiations,
                       registers, most.shared_bytes, most.stack_bytes, most.spill_bytes);
  }
  return out;
}

}  // namespace kith::budget
