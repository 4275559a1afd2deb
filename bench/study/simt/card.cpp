#include <fmt/format.h>

#include <algorithm>

#include "bench/study/simt/predict.h"

namespace kith::study {
namespace {

constexpr const char* kGuide = "CUDA C++ Programming Guide, compute capability 9.0";
constexpr const char* kH100 = "NVIDIA H100 data sheet, SXM";
constexpr const char* kH200 = "NVIDIA H200 data sheet, SXM";

// One chip: the two cards differ in their memory.
Card hopper(std::string_view name, std::string_view title, const char* sheet, double dram) {
  return {
      .name = name,
      .title = title,
      .multiprocessors = {132, "", true, "NVIDIA H100 white paper, SXM5"},
      .clock = {1.83, "GHz", false, "at which 132 multiprocessors of 4,096 bf16 flop a clock reach the sheet's peak"},
      .dram = {dram, "TB/s", true, sheet},
      .l2 = {5.5, "TB/s", false, "NVIDIA publishes none; what others report of reads that hit"},
      .l2_port = {64, "B/clock", false, "to each multiprocessor, as of Volta"},
      .shared = {128, "B/clock", true, kGuide},
      .matrix = {989, "TFLOP/s", true, sheet},
      .matrix_share = {0.62, "", false, "of that by mma.sync; arXiv:2402.13499 reports about 62 % on an H100"},
      .wgmma_share = {0.8, "", false, "of that by wgmma: about what libraries' bf16 products reach"},
      .fp32 = {67, "TFLOP/s", true, sheet},
      .special = {16, "/clock", true, kGuide},
      .launch = {2, "us", false, "from one launch to the next of a stream or graph"},
      .registers = {65536, "", true, kGuide},
      .shared_memory = {228 << 10, "B", true, kGuide},
      .threads = {2048, "", true, kGuide},
      .blocks = {32, "", true, kGuide}};
}

}  // namespace

std::vector<std::pair<const char*, const Fact*>> Card::facts() const {
  return {{"multiprocessors", &multiprocessors},
          {"clock", &clock},
          {"DRAM", &dram},
          {"L2", &l2},
          {"L2 to a multiprocessor", &l2_port},
          {"shared memory, of a multiprocessor", &shared},
          {"matrix units, bf16 dense", &matrix},
          {"share of mma.sync", &matrix_share},
          {"share of wgmma", &wgmma_share},
          {"FP32", &fp32},
          {"special functions, of a multiprocessor", &special},
          {"a launch", &launch},
          {"registers of a multiprocessor", &registers},
          {"shared memory of a multiprocessor", &shared_memory},
          {"threads of a multiprocessor", &threads},
          {"blocks of a multiprocessor", &blocks}};
}

const std::vector<Card>& cards() {
  static const std::vector<Card> all = {hopper("h100", "NVIDIA H100 SXM 80 GB", kH100, 3.35),
                                        hopper("h200", "NVIDIA H200 SXM 141 GB", kH200, 4.8)};
  return all;
}

const Card& card(std::string_view name) {
  std::string names;
  for (const Card& c : cards()) {
    if (c.name == name) return c;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", c.name);
  }
  throw Error(fmt::format("there is no card '{}'; the cards are {}", name, names));
}

std::string card_facts(const Card& c) {
  std::string out = fmt::format("| {} | | | |\n|---|--:|---|---|\n", c.title);
  for (const auto& [what, fact] : c.facts())
    out += fmt::format("| {} | {:g}{}{} | {} | {} |\n", what, fact->value, *fact->unit == '\0' ? "" : " ", fact->unit,
                       fact->published ? "published" : "assumed", fact->source);
  return out;
}

}  // namespace kith::study
