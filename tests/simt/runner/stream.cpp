#include "tests/simt/runner/stream.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "tests/simt/runner/arena.h"
#include "tests/simt/runner/block.h"
#include "tests/simt/runner/runtime.h"

namespace simt {
namespace {

thread_local std::unique_ptr<Graph> open_capture;
thread_local const char* refused = "";
thread_local std::vector<std::string> open_ranges;  // each with those around it

}  // namespace

Graph::~Graph() {
  for (void* block : owned) release(block);
}

void enqueue(std::function<void()> work, Kind kind) {
  if (open_capture == nullptr) {
    const Unlocked here;
    return work();
  }
  open_capture->work.push_back({.kind = kind, .run = std::move(work)});
}

bool capturing() { return open_capture != nullptr; }

void begin_capture() {
  open_capture = std::make_unique<Graph>();
  refused = "";
}

Graph* end_capture() {
  std::unique_ptr<Graph> done = std::move(open_capture);
  return *refused == '\0' ? done.release() : nullptr;
}

bool allowed_now(const char* call) {
  if (open_capture != nullptr) refused = call;
  return open_capture == nullptr;
}

const char* refused_call() { return refused; }

int push_range(const char* name) {
  open_ranges.push_back(open_ranges.empty() ? name : open_ranges.back() + "/" + name);
  if (options().ranges) range_log().push_back(open_ranges.back());
  return static_cast<int>(open_ranges.size()) - 1;
}

int pop_range() {
  if (open_ranges.empty()) return -1;  // as NVTX: an end without a beginning
  open_ranges.pop_back();
  return static_cast<int>(open_ranges.size());
}

std::vector<std::string>& range_log() {
  static std::vector<std::string> log;
  return log;
}

void* allocate_ordered(size_t bytes) {
  void* block = allocate(bytes);
  if (open_capture != nullptr) {
    open_capture->owned.push_back(block);
    enqueue([block, bytes] { std::memset(block, 0xFF, bytes); }, Kind::allocation);  // NaN again at every replay
  }
  return block;
}

void release_ordered(void* block) {
  const bool of_capture =
      open_capture != nullptr && std::ranges::find(open_capture->owned, block) != open_capture->owned.end();
  if (!of_capture) return release(block);
  enqueue([] {}, Kind::release);
}

void lend(void* block, size_t bytes) {
  enqueue(
      [block, bytes] {
        resize(block, bytes);
        std::memset(block, 0xFF, bytes);
      },
      Kind::check);
}

void take_back(void* block) {
  enqueue([block] { std::memset(block, 0xFF, resize(block, kWhole)); }, Kind::check);
}

}  // namespace simt
