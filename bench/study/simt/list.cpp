// kith_simt --list: every entry, by contract. Files are found by their names, as the build finds them: one belongs to the longest
// contract that its own name begins with (softmax_xent.cpp is not softmax's).
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "bench/study/simt/contracts.h"

namespace kith::study {
namespace {

namespace fs = std::filesystem;

struct Files {
  std::vector<std::string> cpu, cuda;  // of kernels/cpu and kernels/cuda
  std::vector<std::string> rungs;      // of bench/study/ladder, from the foot up
};

std::string owner(const std::string& stem, const std::set<std::string>& contracts) {
  std::string longest;
  for (const std::string& name : contracts)
    if ((stem + "_").starts_with(name + "_") && name.size() > longest.size()) longest = name;
  return longest;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  check(in.good(), fmt::format("cannot read {}", file.string()));
  return {std::istreambuf_iterator<char>(in), {}};
}

// {"warpgroup", warpgroup, 90} of rungs.cpp, for the contract that ladder.h includes.
void add_rungs(const fs::path& ladder, std::map<std::string, Files>& all) {
  const std::string header = text_of(ladder / "ladder.h"), list = text_of(ladder / "rungs.cpp");
  std::smatch contract;
  static const std::regex include(R"re(#include "kernels/(\w+)\.h")re"), rung(R"re(\{"(\w+)", \w+(?:,\s*(\d+))?\})re");
  if (!std::regex_search(header, contract, include)) return;
  for (std::sregex_iterator it(list.begin(), list.end(), rung), end; it != end; ++it)
    all[contract[1].str()].rungs.push_back((*it)[1].str() + ((*it)[2].matched ? "_sm" + (*it)[2].str() : ""));
}

// By contract, without its ".h".
std::map<std::string, Files> files_of(const std::map<std::string, Promise>& promised) {
  std::set<std::string> contracts;
  for (const auto& [name, promise] : promised) contracts.insert(fs::path(promise.contract).stem().string());
  const fs::path cuda = KITH_CUDA_SOURCES, kernels = cuda.parent_path();
  std::map<std::string, Files> all;
  const auto add = [&](const fs::path& folder, const char* extension, std::vector<std::string> Files::*list) {
    for (const auto& file : fs::directory_iterator(folder))
      if (file.path().extension() == extension)
        if (const std::string name = owner(file.path().stem().string(), contracts); !name.empty())
          (all[name].*list).push_back(file.path().filename().string());
  };
  add(kernels / "cpu", ".cpp", &Files::cpu);
  add(cuda, ".cu", &Files::cuda);
  for (auto& [name, files] : all) std::ranges::sort(files.cpu), std::ranges::sort(files.cuda);
  add_rungs(kernels.parent_path() / "bench/study/ladder", all);
  return all;
}

struct Entry {
  const Study* study;
  Promise promise;
  Cost cost;
};

// By contract and name; those without a line in one stand first.
std::vector<Entry> entries(const std::map<std::string, Promise>& promised) {
  std::vector<Entry> all;
  for (const Study& s : studies()) {
    const auto it = promised.find(s.name);
    all.push_back({&s, it != promised.end() ? it->second : Promise{}, s.run(s.sizes, Queue{})});  // the CPU's: at once
  }
  std::ranges::stable_sort(all, {}, [](const Entry& e) { return e.promise.contract; });
  return all;
}

// 67108864 -> 67.1M
std::string short_number(double n) {
  const char* unit = "";
  for (const char* next : {"k", "M", "G", "T"}) {
    if (n < 1000) break;
    n /= 1000, unit = next;
  }
  return *unit == '\0' || n >= 100 ? fmt::format("{:.0f}{}", n, unit) : fmt::format("{:.1f}{}", n, unit);
}

constexpr size_t kWidth = 110;

// Words in lines of kWidth at most, from column `indent` on; the first line has begun there.
std::string wrapped(const std::vector<std::string>& words, const char* between, size_t indent) {
  std::string out;
  size_t column = indent;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string word = words[i] + (i + 1 < words.size() ? between : "");
    const size_t visible = word.find_last_not_of(' ') + 1;
    if (column > indent && column + visible > kWidth) {
      out.erase(out.find_last_not_of(' ') + 1);
      out += "\n" + std::string(indent, ' ');
      column = indent;
    }
    out += word, column += word.size();
  }
  return out + "\n";
}

std::vector<std::string> size_words(const Sizes& sizes) {
  std::vector<std::string> words;
  for (const auto& [name, value] : sizes.all()) words.push_back(fmt::format("{}={}", name, value));
  return words;
}

}  // namespace

std::string list_table() {
  const std::map<std::string, Promise> promised = promises();
  const std::map<std::string, Files> files = files_of(promised);
  const std::vector<Entry> all = entries(promised);
  size_t name = 0, times = 0;
  for (const Entry& e : all)
    name = std::max(name, e.study->name.size()), times = std::max(times, e.promise.times_text().size());
  std::string out = fmt::format("  {:<{}}  {:>8}  {:<{}}  {:>6}  {:>6}  {}\n", "entry", name, "launches", "times",
                                times, "flop", "bytes", "sizes");
  const size_t indent = out.find("sizes");
  std::string contract;
  for (const Entry& e : all) {
    if (e.promise.contract != contract) {
      contract = e.promise.contract;
      const Files& of = files.at(fs::path(contract).stem().string());
      out += fmt::format("\nkernels/{}\n", contract);
      out += "  cpu/   " + wrapped(of.cpu, " ", 9) + "  cuda/  " + wrapped(of.cuda, " ", 9);
      if (!of.rungs.empty()) out += "  bench/study/ladder  " + wrapped(of.rungs, " ", 22);
    }
    out += fmt::format("  {:<{}}  {:>8}  {:<{}}  {:>6}  {:>6}  ", e.study->name, name, e.promise.launches,
                       e.promise.times_text(), times, short_number(e.cost.flops), short_number(e.cost.bytes));
    out += wrapped(size_words(e.study->sizes), ",", indent);
  }
  return out +
         "\nlaunches and times by the contract: bytes asked for, at most, over those that must cross memory.\n"
         "flop and bytes, as necessary, at the sizes shown; --size sets others. Files *_sm90: compute capability "
         "9.0.\n";
}

std::string list_json() {
  using Json = nlohmann::ordered_json;
  const std::map<std::string, Promise> promised = promises();
  const std::map<std::string, Files> files = files_of(promised);
  Json out = Json::array();
  for (const Entry& e : entries(promised)) {
    Json row{{"name", e.study->name}, {"contract", nullptr}};
    if (!e.promise.contract.empty()) {
      const Files& of = files.at(fs::path(e.promise.contract).stem().string());
      row["contract"] = "kernels/" + e.promise.contract;
      row["cpu"] = of.cpu, row["cuda"] = of.cuda, row["ladder"] = of.rungs;
    }
    row["launches"] = e.promise.launches, row["times"] = e.promise.times_text();
    row["flops"] = e.cost.flops, row["bytes"] = e.cost.bytes;
    row["sizes"] = Json::object();
    for (const auto& [size, value] : e.study->sizes.all()) row["sizes"][size] = value;
    out.push_back(row);
  }
  return out.dump(2) + "\n";
}

}  // namespace kith::study
