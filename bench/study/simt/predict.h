// kith_simt --predict CARD: from the counts of a run, the time that each limit of a card alone would take. Nothing here was
// measured; a card's facts say which are published and which assumed.
#pragma once
#include <array>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/study/simt/study.h"

namespace kith::study {

struct Fact {
  double value;
  const char* unit;
  bool published;  // else assumed
  const char* source;
};

struct Card {
  std::string_view name, title;
  Fact multiprocessors, clock, dram, l2, l2_port, shared, matrix, matrix_share, wgmma_share, fp32, special, launch;
  Fact registers, shared_memory, threads, blocks;  // of a multiprocessor

  std::vector<std::pair<const char*, const Fact*>> facts() const;
};

const std::vector<Card>& cards();
const Card& card(std::string_view name);  // Error when there is none

// Registers per thread of a launch by its name, on the architecture of the cards (sm_90a): those of the kernel that it starts,
// by the lines launch("NAME", KERNEL of kernels/cuda/*.cu and by budget.toml beside them. What neither says is not there.
using Registers = std::map<std::string, int>;
Registers registers_of_launches(const std::string& sources);

// Blocks that a multiprocessor holds at a time; registers 0: not known, and no limit.
int resident_blocks(const Card&, const simt::LaunchRecord&, int registers);

// The part of the card's multiprocessors that a launch keeps busy. Blocks of one wave share the multiprocessors as evenly as
// they can be divided; of several waves each is taken to last as long as a full one.
double fill_of(const Card&, uint64_t blocks, int resident);

enum Limit : size_t { kDram, kL2, kShared, kMatrix, kFp32, kSpecial, kLaunch, kLimits };
inline constexpr std::array<const char*, kLimits> kLimitNames = {"DRAM", "L2",      "shared", "matrix",
                                                                 "FP32", "special", "launch"};

struct Prediction {
  std::array<double, kLimits> us{};  // of all launches together
  uint64_t blocks = 0;               // of the launch that takes longest by a limit of its own, and so are the others
  int resident = 0;
  double fill = 0;
  size_t launches = 0;

  Limit largest() const;
};
Prediction predict(const Result&, const Card&, const Registers&);

// Sizes that runs have, and that the runner counts in seconds: of one entry, its own first.
std::vector<Sizes> sizes_of_runs(const Study&);
// Sets what text of the form rows=4096 names.
void set_size(Sizes&, const std::string& text);

// A benchmark of bench/kernels, by its name and arguments (ntxent_forward/4096/128/1): the program bench_NAME that has it, and
// what one call of it does. Error where no entry does the same.
struct Timed {
  std::string program;
  std::vector<std::pair<const Study*, Sizes>> calls;
};
Timed timed_by(const std::string& benchmark);
// Counts those benchmarks, or all that the file has, and writes what is predicted for every card into the file, whose other
// lines stay; the name of each to `out` once it is written.
void count_predictions(const std::string& file, std::vector<std::string> benchmarks, std::ostream& out);

std::string prediction_head(const Card&);
std::string prediction_row(const Result&, const Prediction&);
std::string card_facts(const Card&);

}  // namespace kith::study
