// What ptxas reports about each kernel (registers, shared memory, stack, spills), compared with kernels/cuda/budget.toml.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace kith::budget {

// Largest values over the instantiations of one kernel on one architecture.
struct Usage {
  int registers = 0;     // per thread
  int shared_bytes = 0;  // static, per block
  int stack_bytes = 0;   // per thread: local arrays and calls
  int spill_bytes = 0;   // per thread, stores + loads
  int instantiations = 0;
  std::vector<std::string> losses = {};  // what ptxas did not do as it was written: products of warpgroups one by one
};

using Kernel = std::pair<std::string, std::string>;               // file stem, function
using Measured = std::map<Kernel, std::map<std::string, Usage>>;  // by architecture: sm_80

struct Limits {
  std::map<std::string, int> registers;  // by architecture
  int shared_bytes = 0, stack_bytes = 0;
};
using Budget = std::map<Kernel, Limits>;

// Adds the kernels of one report, that of the object of `stem`.cu. Error when it is not a report of ptxas.
void read_report(const std::string& stem, const std::string& text, Measured& out);
// The function's own name: kith::(anonymous namespace)::f<2>(int), mangled -> f.
std::string function_name(const std::string& mangled);

Budget parse_budget(const std::string& toml, const std::string& source);
// The compiler that a budget names as its own; empty where it names none.
std::string compiler_of(const std::string& toml, const std::string& source);
// Lines of a new file, every limit as measured; registers rounded up to 8, the unit in which they are given to a warp.
std::string write_budget(const Measured&, const std::string& compiler);

// Whether the compiler that measured is the budget's. Of another, registers and stack are its own affair.
enum class Compiler : uint8_t { same, other };

// One line per violation: a spill, what ptxas calls a loss of performance, a value above its limit, a kernel or an architecture that only one side knows.
std::vector<std::string> violations(const Measured&, const Budget&, Compiler);
std::string table(const Measured&, const Budget&);

}  // namespace kith::budget
