#include "scan/run/metrics_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "scan/run/log_ends.h"
#include "scan/text/json_text.h"

namespace kith {

Error in_use_error(const std::filesystem::path& run_dir) {
  return Error(fmt::format("{}: another kith is working in this directory", run_dir.string()));
}

namespace {

void lock(int file, int how, const std::filesystem::path& run_dir) {
  if (flock(file, how | LOCK_NB) != 0) throw in_use_error(run_dir);
}

// An object whose fields that are read everywhere have their types.
bool is_entry(const nlohmann::json& line) {
  if (!line.is_object()) return false;
  const auto has = [&](const char* key, auto&& type) { return !line.contains(key) || type(line.at(key)); };
  const auto flag = [](const nlohmann::json& value) { return value.is_boolean(); };
  return has("stage", [](const nlohmann::json& value) { return value.is_string(); }) && has("finished", flag) &&
         has("epoch_end", flag);
}
bool is_entry(std::string_view line) { return is_entry(nlohmann::json::parse(line, nullptr, false)); }

[[noreturn]] void refuse_line(const std::filesystem::path& path, int number) {
  throw Error(fmt::format("{}:{}: expected one JSON object; restore the file, or take the line out to go on",
                          path.string(), number));
}

// The text up to the end of its last complete line. Lines before the last were whole when it was begun.
std::string_view complete_lines(std::string_view text) {
  while (!text.empty()) {
    const size_t last = text.size() < 2 ? std::string_view::npos : text.find_last_of('\n', text.size() - 2);
    const size_t begin = last == std::string_view::npos ? 0 : last + 1;
    if (text.back() == '\n' && is_entry(text.substr(begin))) break;
    text = text.substr(0, begin);
  }
  return text;
}

// The page, and a stage that starts over, read every line: damaged lines are reported before anything is trained.
void require_objects(std::string_view lines, const std::filesystem::path& path) {
  for (int number = 1; !lines.empty(); ++number) {
    const size_t end = lines.find('\n') + 1;
    if (!is_entry(lines.substr(0, end))) refuse_line(path, number);
    lines.remove_prefix(end);
  }
}

// Not where another process has replaced the file while this one was opening it.
bool has_name(int file, const std::filesystem::path& path) {
  struct stat opened {
  }, named{};
  return fstat(file, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

void require(bool ok, const std::filesystem::path& path, const char* what) {
  if (!ok) throw Error(fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

// A disk that is full takes a part of what it is given, and says why at the next try.
void write_all(int file, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t n = write(file, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    require(n > 0, path, "cannot be written");
    text.remove_prefix(static_cast<size_t>(n));
  }
}

// f(byte at which it begins, line with its end).
template <class F>
void for_each_line(std::string_view text, F&& f) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin) + 1;
    f(begin, text.substr(begin, end - begin));
    begin = end;
  }
}

std::string stage_of(const nlohmann::json& line) { return line.value("stage", ""); }
bool is_finished(const nlohmann::json& line) { return line.value("finished", false); }

// Bytes behind the stage's last finished line, and behind the one before it; 0: there is none.
struct FinishedEnds {
  size_t last = 0, last_but_one = 0;
};
FinishedEnds finished_ends(std::string_view text, std::string_view stage) {
  FinishedEnds ends;
  for_each_line(text, [&](size_t begin, std::string_view line) {
    const nlohmann::json j = nlohmann::json::parse(line);
    if (is_finished(j) && stage_of(j) == stage) ends = {.last = begin + line.size(), .last_but_one = ends.last};
  });
  return ends;
}

}  // namespace

ReadLog read_log(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw Error(fmt::format("{}: cannot be read", path.string()));
  ReadLog log;
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    if (text.empty()) continue;
    nlohmann::json line = nlohmann::json::parse(text, nullptr, false);
    // The last line has no line break when the program was killed while writing it.
    if (log.cut = line.is_discarded() && file.eof(); log.cut) break;
    if (!is_entry(line)) refuse_line(path, number);
    log.lines.push_back(std::move(line));
  }
  return log;
}

std::vector<nlohmann::json> read_metrics(const std::filesystem::path& path) { return read_log(path).lines; }

nlohmann::json finished_line(const std::filesystem::path& run_dir, const std::string& stage) {
  return finished_line(stage, lines_of(run_dir, stage));
}

std::vector<nlohmann::json> finished_lines(std::vector<nlohmann::json> lines) {
  std::map<std::string, size_t> ends;
  for (size_t i = 0; i < lines.size(); ++i)
    if (is_finished(lines[i])) ends[stage_of(lines[i])] = i;
  std::vector<nlohmann::json> kept;
  for (size_t i = 0; i < lines.size(); ++i)
    if (const auto end = ends.find(stage_of(lines[i])); end != ends.end() && i <= end->second)
      kept.push_back(std::move(lines[i]));
  return kept;
}

std::vector<nlohmann::json> finished_log(const std::filesystem::path& run_dir) {
  const std::filesystem::path log = run_dir / "metrics.jsonl";
  return std::filesystem::exists(log) ? finished_lines(read_metrics(log)) : std::vector<nlohmann::json>{};
}

void expect_not_in_use(const std::filesystem::path& run_dir) {
  const int file = open((run_dir / "metrics.jsonl").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  try {
    lock(file, LOCK_SH, run_dir);
  } catch (...) {
    close(file);
    throw;
  }
  close(file);
}

MetricsLog::MetricsLog(const std::filesystem::path& path) : path_(path) {
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  require(file_ >= 0, path_, "cannot be opened");
  try {
    lock(file_, LOCK_EX, path.parent_path());
    if (!has_name(file_, path)) throw in_use_error(path.parent_path());
    const std::string text = read();
    const std::string_view lines = complete_lines(text);
    require_objects(lines, path_);
    rewind(static_cast<int64_t>(lines.size()));
  } catch (...) {
    close(file_);
    throw;
  }
}

MetricsLog::~MetricsLog() { close(file_); }

void MetricsLog::append(const nlohmann::json& object) { write_all(file_, json_text(object) + "\n", path_); }

int64_t MetricsLog::position() {
  require(fsync(file_) == 0, path_, "cannot be flushed");
  return lseek(file_, 0, SEEK_END);
}

void MetricsLog::rewind(int64_t position) {
  if (position < lseek(file_, 0, SEEK_END)) require(ftruncate(file_, position) == 0, path_, "cannot be cut");
}

void MetricsLog::drop_unfinished(std::string_view stage) {
  const std::string text = read();
  drop(stage, finished_ends(text, stage).last, text.size());
}

void MetricsLog::drop_superseded(std::string_view stage) { drop(stage, 0, finished_ends(read(), stage).last_but_one); }

void MetricsLog::drop(std::string_view stage, size_t begin, size_t end) {
  const std::string text = read();
  std::string kept;
  for_each_line(text, [&](size_t at, std::string_view line) {
    if (at < begin || at >= end || stage_of(nlohmann::json::parse(line)) != stage) kept += line;
  });
  if (kept.size() != text.size()) replace(kept);
}

std::string MetricsLog::read() const {
  std::string text(static_cast<size_t>(lseek(file_, 0, SEEK_END)), '\0');
  for (size_t done = 0; done < text.size();) {
    const ssize_t got = pread(file_, text.data() + done, text.size() - done, static_cast<off_t>(done));
    require(got > 0, path_, "cannot be read");
    done += static_cast<size_t>(got);
  }
  return text;
}

// Locked before it has the name: at every moment one of the two is.
void MetricsLog::replace(std::string_view text) {
  const std::filesystem::path path = data::behind_links(path_), beside = path.string() + ".partial";
  const int file = open(beside.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  require(file >= 0, beside, "cannot be created");
  try {
    lock(file, LOCK_EX, path_.parent_path());
    write_all(file, text, path_);
    require(fsync(file) == 0, path_, "cannot be flushed");
    require(std::rename(beside.c_str(), path.c_str()) == 0, path_, "cannot be replaced");
  } catch (...) {
    close(file);
    unlink(beside.c_str());
    throw;
  }
  close(std::exchange(file_, file));
}

}  // namespace kith
