#include "apps/picture_progress.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>

namespace kith {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

class DecodingLine {
 public:
  explicit DecodingLine(ConsoleOptions options) : options_(std::move(options)) {}
  ~DecodingLine() { clear(); }
  DecodingLine(const DecodingLine&) = delete;
  DecodingLine& operator=(const DecodingLine&) = delete;

  void show(int64_t done, int64_t total) {
    if (options_.stop_signal() != 0) throw Interrupted{};
    const bool bar = options_.progress == ConsoleOptions::Progress::bar;
    const Clock::time_point now = Clock::now();
    if (options_.progress == ConsoleOptions::Progress::none ||
        seconds(now - shown_) < (bar ? 1.0 : options_.line_seconds))
      return;
    shown_ = now;
    const double rate = static_cast<double>(done) / seconds(now - begin_);
    const std::string text = fmt::format("pictures: {} of {} decoded, {:.0f}/s, {} left", done, total, rate,
                                         clock_text(static_cast<double>(total - done) / rate));
    fmt::print(options_.err, "{}{}", bar ? "\r\033[K" : "", text + (bar ? "" : "\n"));
    std::fflush(options_.err);
    visible_ = bar;
  }

 private:
  void clear() {
    if (!visible_) return;
    fmt::print(options_.err, "\r\033[K");
    std::fflush(options_.err);
  }

  ConsoleOptions options_;
  Clock::time_point begin_ = Clock::now(), shown_ = begin_;
  bool visible_ = false;
};

}  // namespace

std::function<void(int64_t done, int64_t total)> picture_progress(const ConsoleOptions& options) {
  return [line = std::make_shared<DecodingLine>(options)](int64_t done, int64_t total) { line->show(done, total); };
}

}  // namespace kith
