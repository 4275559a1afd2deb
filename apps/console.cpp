#include "apps/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/signals.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

constexpr int kBarCells = 24;

double seconds_between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

std::string bar(double share) {
  const int full = std::clamp(static_cast<int>(share * kBarCells), 0, kBarCells);
  return fmt::format("[{}{}]", std::string(static_cast<size_t>(full), '#'),
                     std::string(static_cast<size_t>(kBarCells - full), '.'));
}

}  // namespace

std::string clock_text(double seconds) {
  const auto s = static_cast<int64_t>(std::llround(std::max(seconds, 0.0)));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

ConsoleOptions console_options(bool quiet, bool json) {
  ConsoleOptions options{.json = json, .stop_signal = stop_signal};
  options.notes = !quiet;
  if (quiet) {
    options.progress = ConsoleOptions::Progress::none;
  } else if (isatty(STDERR_FILENO)) {
    options.progress = ConsoleOptions::Progress::bar;
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) options.columns = size.ws_col;
  }
  return options;
}

ConsoleReporter::ConsoleReporter(const std::filesystem::path& run_dir, ConsoleOptions options)
    : log_(run_dir / "metrics.jsonl"), options_(std::move(options)) {}

ConsoleReporter::~ConsoleReporter() { clear(); }

void ConsoleReporter::begin(std::string_view stage, int64_t done, int64_t total) {
  if (done == 0) log_.drop_unfinished(stage);
  begun_.emplace(stage);
  stage_ = stage;
  first_ = done_ = done;
  total_ = total;
  images_ = 0;
  begin_ = shown_ = Clock::now();
}

void ConsoleReporter::step(int64_t images) {
  ++done_;
  images_ += images;
  const bool is_bar = options_.progress == ConsoleOptions::Progress::bar;
  const double pause = is_bar ? options_.bar_seconds : options_.line_seconds;
  if (options_.progress == ConsoleOptions::Progress::none || seconds_between(shown_, Clock::now()) < pause) return;
  show();
}

void ConsoleReporter::end() {
  clear();
  stage_.clear();
}

void ConsoleReporter::metric(const nlohmann::json& line) {
  log_.append(line);
  if (line.value("finished", false))
    if (const auto stage = line.at("stage").get<std::string>(); begun_.contains(stage)) log_.drop_superseded(stage);
  if (!options_.json) return;
  fmt::print(options_.out, "{}\n", line.dump());
  std::fflush(options_.out);
}

void ConsoleReporter::note(const std::string& text) {
  if (options_.notes) say(wrapped_note(text));
}

void ConsoleReporter::warn(const std::string& text) { say("kith: warning: " + text); }

void ConsoleReporter::rewind_log(int64_t position) {
  if (log_.position() < position)
    warn("metrics.jsonl: lines are missing: it is shorter than it was when the checkpoint was saved");
  log_.rewind(position);
}

bool ConsoleReporter::stop_requested() const { return options_.stop_signal() != 0; }

double ConsoleReporter::elapsed() const { return std::max(seconds_between(begin_, Clock::now()), 1e-9); }

std::string ConsoleReporter::status() const {
  const double share = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1.0;
  const double seconds = elapsed(), pace = static_cast<double>(done_ - first_) / seconds;
  const std::string left = pace > 0 ? clock_text(static_cast<double>(total_ - done_) / pace) : "?";
  const std::string picture =
      options_.progress == ConsoleOptions::Progress::bar ? fmt::format(" {}", bar(share)) : std::string(":");
  return fmt::format("{}{} {:3.0f} %  {}/{} steps  {:.0f} images/s  {} left", stage_, picture, std::floor(100 * share),
                     done_, total_, static_cast<double>(images_) / seconds, left);
}

void ConsoleReporter::show() {
  shown_ = Clock::now();
  if (options_.progress == ConsoleOptions::Progress::lines) return say(status());
  // One column stays free: a full line would wrap and could not be drawn over.
  fmt::print(options_.err, "\r{}\033[K", status().substr(0, static_cast<size_t>(std::max(options_.columns - 1, 1))));
  std::fflush(options_.err);
  bar_visible_ = true;
}

void ConsoleReporter::clear() {
  if (!bar_visible_) return;
  fmt::print(options_.err, "\r\033[K");
  std::fflush(options_.err);
  bar_visible_ = false;
}

void ConsoleReporter::say(const std::string& line) {
  clear();
  fmt::print(options_.err, "{}\n", line);
  std::fflush(options_.err);
}

}  // namespace kith
