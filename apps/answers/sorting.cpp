#include "apps/answers/sorting.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "scan/text/json_text.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

// A part of a path: no separator, no control character, no dot in front.
std::string as_name(std::string text) {
  for (char& c : text)
    if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 32 || c == 127) c = '_';
  if (!text.empty() && text.front() == '.') text.front() = '_';
  return text;
}

constexpr char kUnsure[] = "unsure";

std::string folder_of(const NamedAnswers& a, int32_t cluster) {
  const size_t digits = std::to_string(a.clusters.size() - 1).size();
  const std::string& name = a.clusters.at(static_cast<size_t>(cluster));
  return fmt::format("{:0{}}{}{}", cluster, digits, name.empty() ? "" : "_", as_name(name));
}

// One for every way to write it. A link has a name of its own.
fs::path whole_name(const fs::path& file) {
  const fs::path name = fs::absolute(file);
  return fs::weakly_canonical(name.parent_path()) / name.filename();
}

fs::path record_path(const fs::path& into) { return into / ".kith_sort.json"; }

// Of any sorting.
bool is_record(const nlohmann::json& record) {
  const auto has = [&](const char* key, const auto& is) { return record.contains(key) && is(record.at(key)); };
  return record.is_object() && has("network", [](const nlohmann::json& j) { return j.is_string(); }) &&
         has("min_confidence", [](const nlohmann::json& j) { return j.is_number(); }) &&
         has("clusters", [](const nlohmann::json& j) { return j.is_array(); });
}

fs::path numbered(const fs::path& path, int number) {
  fs::path name = path.stem();
  name += fmt::format("~{}", number);
  name += path.extension();
  return path.parent_path() / name;
}

bool same_bytes(const fs::path& a, const fs::path& b) {
  return fs::file_size(a) == fs::file_size(b) && data::read_file(a) == data::read_file(b);
}

// True if the target has what it should have already. Error: something else has its name.
bool is_there(const Move& m, SortBy by) {
  const fs::file_status status = fs::symlink_status(m.to);
  if (!fs::exists(status)) return false;
  const bool link = fs::is_symlink(status) && fs::read_symlink(m.to) == fs::absolute(m.from),
             copy = fs::is_regular_file(status) && same_bytes(m.from, m.to);
  if (by == SortBy::link ? link : copy) return true;
  const std::string to = m.to.string(), from = m.from.string();
  if (copy) throw Error(to + ": was copied there; with --copy the sorting goes on; nothing was written");
  if (link) throw Error(to + ": was linked there; without --copy the sorting goes on; nothing was written");
  throw Error(fmt::format("{}: is there already, and is not {} {}; nothing was written", to,
                          by == SortBy::link ? "a link to" : "a copy of", from));
}

// A folder below INTO that is a link to elsewhere would take files out of it.
void expect_inside(const fs::path& folder, const fs::path& into) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(folder, ignored))) return;
  if (fs::is_directory(folder) && fs::weakly_canonical(folder) == fs::weakly_canonical(into) / folder.filename())
    return;
  throw Error(fmt::format("{}: is no folder inside {}; nothing was written", folder.string(), into.string()));
}

// On a full disk nothing of the copy is left.
void copy_whole(const fs::path& from, const fs::path& to) {
  if (fs::exists(fs::symlink_status(to))) throw Error(to.string() + ": is there by now; it was left as it is");
  const std::vector<uint8_t> bytes = data::read_file(from);
  data::write_file(to, {{bytes.data(), bytes.size()}});
}

}  // namespace

std::vector<Move> sorted_places(const NamedAnswers& a, const fs::path& into, float least_confidence) {
  std::vector<Move> moves;
  std::set<fs::path> given, taken;
  std::map<fs::path, int> next;  // number of the next file of a name
  for (size_t i = 0; i < a.answers.size(); ++i) {
    if (!given.insert(whole_name(a.images[i])).second) continue;
    const Answer& one = a.answers[i];
    const fs::path from = a.images[i],
                   folder = into / (one.confidence < least_confidence ? kUnsure : folder_of(a, one.cluster)),
                   wanted = folder / from.filename();
    fs::path to = wanted;
    for (int& n = next.try_emplace(wanted, 2).first->second; !taken.insert(to).second;) to = numbered(wanted, n++);
    moves.push_back({.from = from, .to = to});
  }
  return moves;
}

bool is_unsure(const Move& m, const fs::path& into) { return m.to.parent_path() == into / kUnsure; }

std::string sorting_record(const std::string& network, float least_confidence, const std::vector<std::string>& clusters,
                           bool invert) {
  nlohmann::json record = {{"network", network}, {"min_confidence", least_confidence}, {"clusters", clusters}};
  if (invert) record["invert"] = true;
  return json_text(record) + "\n";
}

void expect_same_sorting(const fs::path& into, const std::string& record) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(record_path(into), ignored);
  if (!fs::exists(status)) return;
  if (!fs::is_regular_file(status))  // a link would be written through
    throw Error(
        fmt::format("{}: is no file inside {}; nothing was written", record_path(into).string(), into.string()));
  const nlohmann::json now = nlohmann::json::parse(record);
  const std::vector<uint8_t> text = data::read_file(record_path(into));
  const nlohmann::json was = nlohmann::json::parse(text, nullptr, false);
  if (was == now) return;
  if (!is_record(was))
    throw Error(
        fmt::format("{}: damaged: expected what kith sort writes, which says whose sorting {} holds; restore the file, "
                    "or choose another --into",
                    record_path(into).string(), into.string()));
  const auto differs = [&](const char* key) {
    return was.value(key, nlohmann::json()) != now.value(key, nlohmann::json());
  };
  const char* other = differs("network")          ? "the network of another run or stage"
                      : differs("min_confidence") ? "another --min-confidence"
                      : differs("invert")         ? "pictures as they are, or with --invert, where this is the other"
                                                  : "other names of the clusters";
  throw Error(fmt::format("--into {}: holds a sorting by {}; expected another folder", into.string(), other));
}

int64_t put(const std::vector<Move>& moves, const fs::path& into, SortBy by, const std::string& record) {
  std::vector<const Move*> missing;
  std::set<fs::path> folders;
  for (const Move& m : moves) folders.insert(m.to.parent_path());
  for (const fs::path& folder : folders) expect_inside(folder, into);
  for (const Move& m : moves) {
    if (!fs::is_regular_file(m.from)) throw Error(m.from.string() + ": no such file; nothing was written");
    if (!is_there(m, by)) missing.push_back(&m);
  }
  try {
    for (const fs::path& folder : folders) fs::create_directories(folder);
    data::write_file(record_path(into), {data::as_bytes(record)});
    for (const Move* m : missing) {
      if (by == SortBy::link)
        fs::create_symlink(fs::absolute(m->from), m->to);
      else
        copy_whole(m->from, m->to);
    }
  } catch (const fs::filesystem_error& e) {
    const fs::path& at = e.path2().empty() ? e.path1() : e.path2();
    throw Error(fmt::format("{}: cannot create: {}", at.string(), e.code().message()));
  }
  return static_cast<int64_t>(missing.size());
}

}  // namespace kith
