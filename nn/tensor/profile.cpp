#include "nn/tensor/profile.h"

#include <algorithm>

#include "kernels/core/check.h"

namespace kith {

double SectionProfile::between() const {
  double seconds = listed.seconds;
  for (const OpProfile& op : ops) seconds -= op.seconds;
  return seconds;
}

Profiler::Profiler(Accelerator* device, const Ceilings& ceilings, int listed)
    : device_(device), ceilings_(ceilings), listed_(listed) {
  check(listed >= 1, "profile: at least one run of a section is listed");
}

Profiler::~Profiler() = default;

std::vector<SectionProfile> Profiler::take() {
  check(open_.empty(), "profile: taken inside a section");
  check(failure_.empty(), "profile: " + failure_);
  if (!marks_.empty() && marks_.back().event) marks_.back().event->wait();
  harvest();
  std::vector<SectionProfile> out;
  for (Kept& kept : sections_) {
    for (Row& row : kept.rows)
      if (row.profile.calls > 0) kept.profile.ops.push_back(std::move(row.profile));
    out.push_back(std::move(kept.profile));
  }
  sections_.clear();
  return out;
}

void Profiler::enter_section(const char* name, int warm_up) {
  auto found = std::ranges::find(sections_, name, &Kept::name);
  if (found == sections_.end()) {
    found = sections_.insert(
        found,
        {.name = name, .profile = {.name = name, .warm_up = {}, .listed = {}, .later = {}, .ops = {}}, .rows = {}});
  }
  const int64_t run = found->begun++ - warm_up;
  const Phase phase = run < 0          ? Phase::warm_up
                      : run < listed_  ? Phase::listed
                      : run == listed_ ? Phase::warm_up  // on a device this one is captured
                                       : Phase::later;
  open_.push_back({.place = {.section = static_cast<int>(found - sections_.begin()), .phase = phase, .row = -1}});
  ++runs(open_.back().place).count;
  mark();
}

bool Profiler::enter_op(const char* name, const char* part) {
  if (open_.empty() || open_.back().place.phase != Phase::listed) return false;
  Place place = open_.back().place;
  place.row = find_row(place.section, name, part);
  ++row(place).profile.calls;
  open_.push_back({.place = place});
  mark();
  return true;
}

void Profiler::charge(Cost cost, DType products) {
  Open& op = open_.back();
  op.charged = true;
  OpProfile& profile = row(op.place).profile;
  profile.cost.flops += cost.flops;
  profile.cost.bytes += cost.bytes;
  const double rate = products == DType::bf16 ? ceilings_.bf16 : ceilings_.f32;
  if (rate > 0 && ceilings_.bytes > 0)
    profile.bound_seconds += std::max(cost.flops / rate, cost.bytes / ceilings_.bytes);
}

void Profiler::next_part(const char* part) {
  Open& op = open_.back();
  const Place before = op.place;
  op.place.row = find_row(before.section, row(before).name, part);
  ++row(op.place).profile.calls;
  if (op.charged) return mark();
  --row(before).profile.calls;  // nothing has happened under its name
  marks_.back().next = op.place;
}

void Profiler::leave() noexcept {
  const bool was_section = open_.back().place.row < 0;
  open_.pop_back();
  try {
    mark();
    if (was_section) harvest();
  } catch (const std::exception& e) {
    failure_ = e.what();
  }
}

void Profiler::mark() {
  Mark m{.at = {}, .event = nullptr, .next = open_.empty() ? Place() : open_.back().place};
  if (device_ == nullptr) {
    m.at = std::chrono::steady_clock::now();
  } else if (spare_.empty()) {
    m.event = device_->event(true);
  } else {
    m.event = std::move(spare_.back());
    spare_.pop_back();
  }
  if (m.event) m.event->record(Lane::compute);
  marks_.push_back(std::move(m));
  if (!marks_.back().event) harvest();
}

void Profiler::harvest() {
  for (; marks_.size() >= 2; marks_.pop_front()) {
    Mark &from = marks_[0], &to = marks_[1];
    if (!to.event) {
      credit(from.next, std::chrono::duration<double>(to.at - from.at).count());
      continue;
    }
    if (!to.event->done()) return;
    credit(from.next, to.event->ms_since(*from.event) / 1000);
    spare_.push_back(std::move(from.event));
  }
}

void Profiler::credit(const Place& place, double seconds) {
  if (place.section < 0) return;
  runs(place).seconds += seconds;
  if (place.row >= 0) row(place).profile.seconds += seconds;
}

SectionProfile::Runs& Profiler::runs(const Place& place) {
  SectionProfile& p = sections_[static_cast<size_t>(place.section)].profile;
  return place.phase == Phase::warm_up ? p.warm_up : place.phase == Phase::listed ? p.listed : p.later;
}

int Profiler::find_row(int section, std::string_view name, std::string_view part) {
  std::vector<Row>& rows = sections_[static_cast<size_t>(section)].rows;
  const auto found = std::ranges::find_if(rows, [&](const Row& r) { return r.name == name && r.part == part; });
  const int index = static_cast<int>(found - rows.begin());
  if (found == rows.end()) {
    rows.push_back({.name = name, .part = part, .profile = {}});
    rows.back().profile.name = part.empty() ? std::string(name) : std::string(name) + " " + std::string(part);
  }
  return index;
}

Section::Section(Context& ctx, const char* name, int warm_up) : range_(ctx, name), profiler_(ctx.profiler()) {
  if (profiler_ != nullptr) profiler_->enter_section(name, warm_up);
}

Section::~Section() {
  if (profiler_ != nullptr) profiler_->leave();
}

OpScope::OpScope(Context& ctx, const char* name, Cost cost, DType products) : OpScope(ctx, name, "") {
  if (profiler_ != nullptr) profiler_->charge(cost, products);
}

OpScope::OpScope(Context& ctx, const char* name, const char* part) : range_(ctx, name) {
  if (Profiler* p = ctx.profiler(); p != nullptr && p->enter_op(name, part)) profiler_ = p;
}

OpScope::~OpScope() {
  if (profiler_ != nullptr) profiler_->leave();
}

void OpScope::charge(Cost cost, DType products) {
  if (profiler_ != nullptr) profiler_->charge(cost, products);
}

void OpScope::part(const char* part, Cost cost, DType products) {
  if (profiler_ == nullptr) return;
  profiler_->next_part(part);
  profiler_->charge(cost, products);
}

NamedRange::NamedRange(Context& ctx, const char* name) : device_(ctx.accelerator()) {
  if (device_ != nullptr) device_->begin_range(name);
}

NamedRange::~NamedRange() {
  if (device_ != nullptr) device_->end_range();
}

}  // namespace kith
