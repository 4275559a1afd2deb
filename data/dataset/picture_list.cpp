#include "data/dataset/picture_list.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "data/formats/files.h"
#include "data/formats/text.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;
using Fields = std::vector<std::string>;

Fields split_at_tabs(const std::string& line) {
  Fields out;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find('\t', begin), line.size());
    out.push_back(line.substr(begin, end - begin));
    out.back().erase(0, out.back().find_first_not_of(' '));
    begin = end + 1;
  }
  return out;
}

// RFC 4180, without line ends inside of quotes and without the blanks that people write behind a comma. None where a quote is not
// closed.
std::optional<Fields> split_at_commas(const std::string& line) {
  Fields out(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool quote = line[i] == '"';
    if (quoted && quote && i + 1 < line.size() && line[i + 1] == '"')
      out.back() += line[++i];
    else if (quote && (quoted || out.back().empty()))
      quoted = !quoted;
    else if (line[i] == ',' && !quoted)
      out.emplace_back();
    else if (quoted || !out.back().empty() || line[i] != ' ')
      out.back() += line[i];
  }
  return quoted ? std::nullopt : std::optional(out);
}

std::optional<int64_t> as_number(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return {};
  return value;
}

// The class of each label, and their names in order.
std::vector<std::string> class_order(const std::vector<std::string>& labels) {
  std::vector<std::string> names = labels;
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  if (std::ranges::all_of(names, [](const std::string& name) { return as_number(name).has_value(); }))
    std::ranges::stable_sort(names, {}, [](const std::string& name) { return *as_number(name); });
  return names;
}

struct Line {
  std::string file;
  std::optional<std::string> label;
};

std::vector<Line> read_list(const fs::path& list) {
  const bool commas = list.extension() == ".csv";
  std::vector<Line> out;
  for (const std::string& line : read_lines(list)) {
    const std::optional<Fields> split = commas ? split_at_commas(line) : std::optional(split_at_tabs(line));
    if (!split)
      fail("{}:{}: a quote is opened and not closed; expected \"...\" around a path or label that holds a comma",
           list.string(), out.size() + 1);
    const Fields& fields = *split;
    if (fields.size() > 2 || fields[0].empty())
      fail("{}:{}: expected a path, or a path and a label with a {} between, found {} fields", list.string(),
           out.size() + 1, commas ? "comma" : "tab", fields.size());
    if (std::error_code none;
        out.empty() && !has_picture_ending(fields[0]) && !fs::exists(list.parent_path() / fields[0], none))
      fail("{}:1: {} is no picture file; expected a path on each line, without a header", list.string(),
           printable(fields[0]));
    Line one{(list.parent_path() / fields[0]).string(), {}};
    if (fields.size() == 2 && !fields[1].empty()) one.label = fields[1];
    out.push_back(std::move(one));
    if (out.back().label.has_value() != out.front().label.has_value())
      fail("{}:{}: has {} label, and line 1 has {}; expected labels on all lines or none", list.string(), out.size(),
           out.back().label ? "a" : "no", out.front().label ? "one" : "none");
  }
  if (out.empty()) fail("{}:1: is empty; expected the path of a picture on each line", list.string());
  return out;
}

}  // namespace

PictureList list_file(const fs::path& list) {
  const std::vector<Line> lines = read_list(list);
  PictureList out;
  for (const Line& line : lines) out.files.push_back(line.file);
  out.labels.assign(out.files.size(), 0);
  if (!lines.front().label) {
    out.class_names = {"unlabelled"};
    return out;
  }
  std::vector<std::string> labels;
  for (const Line& line : lines) labels.push_back(*line.label);
  out.class_names = class_order(labels);
  std::map<std::string, int32_t> classes, seen;
  for (size_t c = 0; c < out.class_names.size(); ++c) classes[out.class_names[c]] = static_cast<int32_t>(c);
  for (size_t i = 0; i < labels.size(); ++i) {
    out.labels[i] = classes.at(labels[i]);
    if (const auto [known, first] = seen.emplace(out.files[i], out.labels[i]); !first && known->second != out.labels[i])
      fail("{}:{}: {} has the label {} here and {} before", list.string(), i + 1, out.files[i], labels[i],
           out.class_names[static_cast<size_t>(known->second)]);
  }
  return out;
}

}  // namespace kith::data
