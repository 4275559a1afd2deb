// Predictions for the benchmarks of bench/kernels, by name: a call of one is one or more entries in turn, at sizes that its
// arguments name. They are kept in a file, bench/gpu_prediction.json, as counting the large ones takes minutes.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/study/simt/predict.h"

namespace kith::study {
namespace {

using Json = nlohmann::ordered_json;

// Entries, arguments and fixed sizes are words; queries=database is an argument that is two sizes.
struct Row {
  std::string_view benchmark;
  const char *program, *entries, *arguments, *fixed;
};
constexpr Row kRows[] = {
    {"agreement", "agreement", "agreement", "rows k", ""},
    {"batch_norm_backward", "batch_norm", "batch_norm_backward", "rows channels residual=mask", "from_x=1 bf16=0"},
    {"batch_norm_backward_bf16", "batch_norm", "batch_norm_backward", "rows channels residual=mask", "from_x=1 bf16=1"},
    {"batch_norm_forward", "batch_norm", "batch_norm_forward", "rows channels residual=mask", "bf16=0"},
    {"batch_norm_forward_bf16", "batch_norm", "batch_norm_forward", "rows channels residual=mask", "bf16=1"},
    {"contrastive_forward_backward", "ntxent", "contrastive_forward contrastive_danchors", "anchors keys dim bf16", ""},
    {"cosine_loss", "cosine_loss", "cosine_loss_forward cosine_loss_backward", "rows dim", ""},
    {"elementwise_add", "elementwise", "add", "count", ""},
    {"elementwise_gather_rows", "elementwise", "gather_rows", "rows", "cols=512"},
    {"elementwise_sum", "elementwise", "sum", "count", ""},
    {"elementwise_swap_axes", "elementwise", "swap_axes", "rows", "heads=10 classes=10"},
    {"elementwise_to_bf16", "elementwise", "to_bf16", "count", ""},
    {"kmeans_assign", "kmeans", "kmeans_assign", "rows dim clusters", ""},
    {"l2_normalize", "l2_normalize", "l2_normalize_forward l2_normalize_backward", "rows dim", ""},
    {"ntxent_forward", "ntxent", "ntxent_forward", "rows dim bf16", ""},
    {"ntxent_forward_backward", "ntxent", "ntxent_forward ntxent_backward", "rows dim bf16", ""},
    {"run/augment_none", "augment", "augment", "side channels bf16", "images=4096 views=2 policy=0"},
    {"run/augment_simclr", "augment", "augment", "side channels bf16", "images=4096 views=2 policy=1"},
    {"run/augment_strong", "augment", "augment", "side channels bf16", "images=4096 views=2 policy=2"},
    {"scan_loss", "scan_loss", "scan_loss_forward scan_loss_backward", "heads rows classes", ""},
    {"selflabel_loss", "selflabel_loss", "selflabel_loss_forward selflabel_loss_backward", "rows classes", ""},
    {"softmax_log_backward", "softmax", "log_softmax_backward", "rows classes", ""},
    {"softmax_log_forward", "softmax", "log_softmax_forward", "rows classes", ""},
    {"softmax_rows", "softmax_xent", "softmax_rows", "rows classes", ""},
    {"softmax_xent", "softmax_xent", "softmax_xent_forward softmax_xent_backward", "rows classes", ""},
    {"temi_loss", "temi_loss", "temi_teacher temi_loss_forward temi_loss_backward", "heads rows classes", ""},
    {"topk", "topk", "topk", "queries=database dim k", ""},
};

std::vector<std::string> words(const std::string& text, char separator) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, separator);) all.push_back(word);
  return all;
}

const Row& row_of(std::string_view benchmark) {
  for (const Row& row : kRows)
    if (benchmark.starts_with(row.benchmark) && benchmark.substr(row.benchmark.size()).starts_with('/')) return row;
  std::string names;
  for (const Row& row : kRows) names += fmt::format("{}{}", names.empty() ? "" : ", ", row.benchmark);
  throw Error(
      fmt::format("no entry does what benchmark '{}' does; those of which one does are {}, with their arguments",
                  benchmark, names));
}

Json read_file(const std::string& file) {
  std::ifstream in(file);
  if (!in.good()) throw Error(fmt::format("cannot read {}", file));
  Json all = Json::parse(in, nullptr, false);
  if (!all.is_object() || !all.contains("benchmarks") || !all["benchmarks"].is_array())
    throw Error(fmt::format("{}: not a file of predictions", file));
  return all;
}

// A line for each benchmark.
void write_file(const std::string& file, const Json& all) {
  const std::string beside = file + ".new";
  std::ofstream out(beside);
  Json head = all;
  head.erase("benchmarks");
  const std::string text = head.dump(1);
  out << text.substr(0, text.size() - 2) << ",\n \"benchmarks\": [";
  const char* before = "\n  ";
  for (const Json& row : all["benchmarks"]) out << before << row.dump(), before = ",\n  ";
  out << "\n ]\n}\n";
  out.close();
  if (!out.good()) throw Error(fmt::format("cannot write {}", beside));
  std::filesystem::rename(beside, file);
}

// Nanoseconds are as fine as a prediction is read.
double rounded(double us) { return std::round(us * 1e3) / 1e3; }

Json row_json(const std::string& benchmark, const Registers& registers) {
  const Timed timed = timed_by(benchmark);
  Json row{{"name", benchmark}, {"program", timed.program}, {"calls", Json::array()}};
  for (const auto& [study, sizes] : timed.calls) {
    const Card& first = cards().front();
    const Result r = run(*study, sizes, 90, static_cast<int>(first.multiprocessors.value));
    Json call{
        {"kernel", study->name}, {"sizes", sizes.text()}, {"launches", r.launches.size()}, {"us", Json::object()}};
    for (const Card& c : cards()) {
      check(c.multiprocessors.value == first.multiprocessors.value,
            fmt::format("{} and {} want counts of their own", c.name, first.name));
      const Prediction p = predict(r, c, registers);
      Json& us = call["us"][std::string(c.name)] = Json::object();
      for (size_t i = 0; i < kLimits; ++i)
        if (p.us[i] > 0) us[kLimitNames[i]] = rounded(p.us[i]);
    }
    row["calls"].push_back(call);
  }
  return row;
}

}  // namespace

Timed timed_by(const std::string& benchmark) {
  const Row& row = row_of(benchmark);
  const std::vector<std::string> values = words(benchmark.substr(row.benchmark.size() + 1), '/'),
                                 names = words(row.arguments, ' ');
  if (values.size() != names.size())
    throw Error(fmt::format("benchmark '{}': expected {}/{}", benchmark, row.benchmark, fmt::join(names, "/")));
  Timed timed{.program = row.program, .calls = {}};
  for (const std::string& entry : words(row.entries, ' ')) {
    const Study& s = study(entry);
    Sizes sizes = s.sizes;
    for (size_t i = 0; i < names.size(); ++i)
      for (const std::string& name : words(names[i], '='))
        set_size(sizes, name + "=" + values[i].substr(values[i].find(':') + 1));  // side:32 where arguments have names
    for (const std::string& fixed : words(row.fixed, ' ')) set_size(sizes, fixed);
    timed.calls.emplace_back(&s, sizes);
  }
  return timed;
}

void count_predictions(const std::string& file, std::vector<std::string> benchmarks, std::ostream& out) {
  Json all;
  if (benchmarks.empty() || std::filesystem::exists(file)) {
    all = read_file(file);
  } else {
    all["note"] =
        "predictions, not measurements, by kith_simt --predictions; microseconds that each limit alone would take";
  }
  all["cards"] = Json::object();
  for (const Card& c : cards()) all["cards"][std::string(c.name)] = c.title;
  Json& rows = all["benchmarks"];
  if (benchmarks.empty())
    for (const Json& row : rows) benchmarks.push_back(row.at("name").get<std::string>());
  for (const std::string& name : benchmarks)
    (void)timed_by(name);  // what is wrong with one is said before any is counted
  const Registers registers = registers_of_launches(KITH_CUDA_SOURCES);
  simt::options().registers = registers;
  for (const std::string& name : benchmarks) {
    Json row = row_json(name, registers);
    const auto same = std::ranges::find_if(rows, [&](const Json& r) { return r.at("name") == name; });
    if (same == rows.end())
      rows.push_back(std::move(row));
    else
      *same = std::move(row);
    write_file(file, all);  // each, as the next may take minutes
    out << name << std::endl;
  }
}

}  // namespace kith::study
