// The check itself: what must be a violation is one, on a report as nvcc 13.0 prints it.
#include "tests/budget/budget.h"

#include <gtest/gtest.h>

#include "kernels/core/check.h"

namespace kith::budget {
namespace {

// Two instantiations of one template on sm_80, one of them on sm_90a; the second kernel has static shared memory.
const std::string kReport = R"(ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN4kith51_GLOBAL__N__60041ae2_12_x_cu_kernel_cu_9e72801f_2504stepILi2EEEvPf' for 'sm_80'
ptxas info    : Function properties for _ZN4kith51_GLOBAL__N__60041ae2_12_x_cu_kernel_cu_9e72801f_2504stepILi2EEEvPf
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 404 bytes cmem[0]
ptxas info    : Compile time = 53.438 ms
ptxas info    : Compiling entry function '_ZN4kith51_GLOBAL__N__60041ae2_12_x_cu_kernel_cu_9e72801f_2504stepILi4EEEvPf' for 'sm_80'
ptxas info    : Function properties for _ZN4kith51_GLOBAL__N__60041ae2_12_x_cu_kernel_cu_9e72801f_2504stepILi4EEEvPf
    16 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 35 registers, used 1 barriers, 16 bytes cumulative stack size, 404 bytes cmem[0]
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN4kith51_GLOBAL__N__60041ae2_12_x_cu_kernel_cu_9e72801f_2504stepILi2EEEvPf' for 'sm_90a'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 41 registers, used 1 barriers
ptxas info    : Compiling entry function '_Z3sumPfi' for 'sm_80'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 1 barriers, 128 bytes smem, 404 bytes cmem[0]
)";
const std::string kBudget = "[x]\nstep = {sm_80 = 40, sm_90a = 48, stack = 16}\nsum = {sm_80 = 8, shared = 128}\n";

Measured measured(const std::string& report = kReport) {
  Measured m;
  read_report("x", report, m);
  return m;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

// All violations as one text.
std::string found(const std::string& budget, const std::string& report = kReport, Compiler compiler = Compiler::same) {
  std::string all;
  for (const std::string& line : violations(measured(report), parse_budget(budget, "b.toml"), compiler))
    all += line + "\n";
  return all;
}

TEST(Budget, ReadsReports) {
  const Measured m = measured();
  ASSERT_EQ(m.size(), 2u);
  const Usage step = m.at({"x", "step"}).at("sm_80");
  EXPECT_EQ(step.registers, 40);
  EXPECT_EQ(step.stack_bytes, 16);
  EXPECT_EQ(step.instantiations, 2);
  EXPECT_EQ(m.at({"x", "step"}).at("sm_90a").registers, 41);
  EXPECT_EQ(m.at({"x", "sum"}).at("sm_80").shared_bytes, 128);
}

TEST(Budget, AcceptsWhatFits) { EXPECT_EQ(found(kBudget), ""); }

TEST(Budget, RejectsWhatDoesNot) {
  EXPECT_EQ(found(replaced(kBudget, "sm_80 = 40", "sm_80 = 39")),
            "kernels/cuda/x.cu: step on sm_80: 40 registers, the budget is 39\n");
  EXPECT_EQ(found(replaced(kBudget, "shared = 128", "shared = 127")),
            "kernels/cuda/x.cu: sum on sm_80: 128 bytes of static shared memory, the budget is 127\n");
  EXPECT_EQ(found(replaced(kBudget, ", stack = 16", "")),
            "kernels/cuda/x.cu: step on sm_80: 16 bytes of stack, the budget is 0\n");
  EXPECT_EQ(found(kBudget, replaced(kReport, "0 bytes spill stores, 0 bytes spill loads",
                                    "4 bytes spill stores, 8 bytes spill loads")),
            "kernels/cuda/x.cu: step on sm_80: 12 bytes of spilled registers, the budget is 0\n");
  EXPECT_EQ(found(replaced(kBudget, "shared = 128", "shared = 16385"),
                  replaced(kReport, "128 bytes smem", "16385 bytes smem")),
            "kernels/cuda/x.cu: sum on sm_80: 16385 bytes of static shared memory, which launches count on, the budget "
            "is 16384\n");
}

// What ptxas says ahead of the kernels of an architecture.
TEST(Budget, RejectsProductsThatRunOneByOne) {
  const std::string compiling = "ptxas info    : Compiling entry function '_Z3sumPfi' for 'sm_80'";
  EXPECT_EQ(found(kBudget, replaced(kReport, compiling,
                                    "ptxas info    : (C7520) Potential Performance Loss: wgmma.mma_async instructions "
                                    "are serialized due to program dependence in the function '_Z3sumPfi'\n" +
                                        compiling)),
            "kernels/cuda/x.cu: sum on sm_80: wgmma.mma_async instructions are serialized due to program dependence\n");
  EXPECT_EQ(found(kBudget,
                  replaced(kReport, compiling,
                           "ptxas info    : (C7508) Potential Performance Loss: 'setmaxnreg' ignored\n" + compiling)),
            "kernels/cuda/x.cu: sum on sm_80: 'setmaxnreg' ignored\n");
}

// Registers and stack are another compiler's own affair; a spill, shared memory and names are not.
TEST(Budget, LeavesRegistersToAnotherCompiler) {
  const auto other = [](const std::string& budget, const std::string& report = kReport) {
    return found(budget, report, Compiler::other);
  };
  EXPECT_EQ(other(replaced(replaced(kBudget, "sm_80 = 40", "sm_80 = 39"), ", stack = 16", "")), "");
  EXPECT_NE(other(kBudget, replaced(kReport, "0 bytes spill stores, 0 bytes spill loads",
                                    "4 bytes spill stores, 8 bytes spill loads")),
            "");
  EXPECT_NE(other(replaced(kBudget, "shared = 128", "shared = 127")), "");
  EXPECT_NE(other(replaced(kBudget, "sum", "sums")), "");
  EXPECT_EQ(compiler_of(kBudget, "b.toml"), "");
  EXPECT_EQ(compiler_of("compiler = \"nvcc 12.9.1\"\n" + kBudget, "b.toml"), "nvcc 12.9.1");
  EXPECT_EQ(found("compiler = \"nvcc 12.9.1\"\n" + kBudget), "");
  EXPECT_THROW(compiler_of("compiler = 13\n", "b.toml"), Error);
}

TEST(Budget, KnowsTheSameKernelsAndArchitectures) {
  EXPECT_EQ(found(replaced(kBudget, "sum", "sums")),
            "kernels/cuda/x.cu: sum has no line in the budget\n"
            "kernels/cuda/x.cu: sums is in the budget, but the build has no such kernel\n");
  EXPECT_EQ(found(replaced(kBudget, "[x]", "[y]")).find("kernels/cuda/x.cu: step has no line in the budget\n"), 0u);
  EXPECT_EQ(found(replaced(kBudget, ", sm_90a = 48", "")),
            "kernels/cuda/x.cu: step: the budget names no registers for sm_90a\n");
  EXPECT_EQ(found(replaced(kBudget, "sum = {", "sum = {sm_90a = 8, ")),
            "kernels/cuda/x.cu: sum was not built for sm_90a\n");
}

TEST(Budget, WhatItWritesFits) {
  const std::string written = write_budget(measured(), "nvcc 13.0.48");
  EXPECT_EQ(compiler_of(written, "b.toml"), "nvcc 13.0.48");
  EXPECT_EQ(found(written), "");
  EXPECT_NE(written.find("step = {sm_80 = 40, sm_90a = 48, stack = 16}\n"), std::string::npos) << written;
}

TEST(Budget, RejectsWhatIsNotAReport) {
  Measured m;
  EXPECT_THROW(read_report("x", "", m), Error);
  EXPECT_THROW(measured(replaced(kReport, "Used 8 registers", "Used")), Error);
  EXPECT_THROW(parse_budget("[x]\nstep = 4\n", "b.toml"), Error);
  EXPECT_THROW(parse_budget("[x]\nstep = {sm_80 = 4.5}\n", "b.toml"), Error);
  EXPECT_THROW(parse_budget("[x]\nstep = {registers = 4}\n", "b.toml"), Error);
  EXPECT_THROW(parse_budget("[x\n", "b.toml"), Error);
}

}  // namespace
}  // namespace kith::budget
