// Profile: where the time of a stage goes, operation by operation, without a tool beside the program; and the names that
// such a tool shows (NVTX ranges, on a device).
//
// Events delimit intervals. An interval counts for the innermost open section (a training step, a batch of inference, the
// stage itself) and in it for the innermost open operation, if any. The operations of a section and the time between them
// add up to the section, and the sections add up to the stage.
//
// On the CPU work is done when a call returns, and an event is a reading of the clock. On a device it is an event on the
// compute stream, read some time after it has passed: nothing waits inside a section. An operation shorter than its launch
// shows the launch. A step replayed as one graph has no per-operation events. A section that repeats therefore lists its
// operations in some of its runs only, which keeps the profile of a whole run cheap:
//
//   warm-up    the first runs: plans, allocations; `Section` says how many
//   listed     the next ones, with events around every operation; on a device launched one by one
//   (one run   more, counted as warm-up: on a device it is captured)
//   later      all others, as without a profile: events at the ends of the section only
//
// Without a profiler a scope costs some twenty nanoseconds, with one a third of a microsecond on the CPU. Names are string
// literals. Not thread-safe, like its context.
#pragma once
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nn/device/accelerator.h"
#include "nn/tensor/ceilings.h"
#include "nn/tensor/context.h"

namespace kith {

struct OpProfile {
  std::string name;  // "conv2d", "conv2d backward", "conv2d weights"
  int64_t calls = 0;
  double seconds = 0;
  Cost cost = {};            // of all calls; zero where no contract states it
  double bound_seconds = 0;  // what the calls would take at the ceilings: of each the larger of bytes' and flops' time
};

struct SectionProfile {
  struct Runs {
    int64_t count = 0;
    double seconds = 0;
  };
  std::string name;
  Runs warm_up, listed, later;
  std::vector<OpProfile> ops;  // of the listed runs, in the order of their first calls
  double between() const;      // seconds of the listed runs that belong to no operation, exact to rounding
};

class Profiler {
 public:
  static constexpr int kListed = 20;

  Profiler(Accelerator* device, const Ceilings&, int listed = kListed);  // null: the CPU
  ~Profiler();

  int listed() const { return listed_; }  // runs of a section
  const Ceilings& ceilings() const { return ceilings_; }
  // All sections since the last call, with none open; waits for the device.
  std::vector<SectionProfile> take();

  // Called by Section and OpScope. enter_op returns whether there is something to leave; the others mean the innermost one.
  void enter_section(const char* name, int warm_up);
  bool enter_op(const char* name, const char* part);
  void charge(Cost, DType products);
  void next_part(const char* part);
  void leave() noexcept;

 private:
  enum class Phase : uint8_t { warm_up, listed, later };
  struct Place {  // where a piece belongs
    int section = -1;
    Phase phase = Phase::listed;
    int row = -1;  // of the section's operations; -1: to none of them
    bool operator==(const Place&) const = default;
  };
  struct Mark {
    std::chrono::steady_clock::time_point at;
    std::unique_ptr<Event> event;  // null on the CPU
    Place next;                    // of the piece that begins here
  };
  struct Open {
    Place place;
    bool charged = false;
  };
  struct Row {
    std::string_view name, part;
    OpProfile profile;
  };
  struct Kept {
    std::string_view name;
    int64_t begun = 0;
    SectionProfile profile;
    std::vector<Row> rows;
  };

  void mark();
  void harvest();  // the pieces whose ends have passed
  void credit(const Place&, double seconds);
  SectionProfile::Runs& runs(const Place&);
  Row& row(const Place& p) { return sections_[static_cast<size_t>(p.section)].rows[static_cast<size_t>(p.row)]; }
  int find_row(int section, std::string_view name, std::string_view part);

  Accelerator* device_;
  Ceilings ceilings_;
  int listed_;
  std::vector<Kept> sections_;
  std::vector<Open> open_;
  std::deque<Mark> marks_;
  std::vector<std::unique_ptr<Event>> spare_;
  std::string failure_;  // of a mark in a destructor; take() throws it
};

// A name for tools alone.
class NamedRange {
 public:
  NamedRange(Context&, const char* name);
  ~NamedRange();
  NamedRange(const NamedRange&) = delete;
  NamedRange& operator=(const NamedRange&) = delete;

 private:
  Accelerator* device_;
};

// A piece of work that is listed on its own.
class Section {
 public:
  Section(Context&, const char* name, int warm_up = 0);
  ~Section();
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

 private:
  NamedRange range_;
  Profiler* profiler_;
};

// One operation: everything enqueued in its lifetime, the operations inside aside.
class OpScope {
 public:
  OpScope(Context&, const char* name, Cost = {}, DType products = DType::f32);
  OpScope(Context&, const char* name, const char* part);  // "name part" in a profile, its cost to be charged later
  ~OpScope();
  OpScope(const OpScope&) = delete;
  OpScope& operator=(const OpScope&) = delete;

  void charge(Cost, DType products = DType::f32);
  // The rest of the scope becomes a row of its own, "name part"; so does the part before, if it was charged.
  void part(const char* part, Cost, DType products = DType::f32);

 private:
  NamedRange range_;
  Profiler* profiler_ = nullptr;  // null: not listed
};

}  // namespace kith
