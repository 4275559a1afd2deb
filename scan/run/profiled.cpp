#include "scan/run/profiled.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "scan/text/table.h"

namespace kith {
namespace {

using nlohmann::json;

constexpr const char* kFile = "profile.json";
constexpr double kVisible = 1e-3;  // of a section: operations below share a row

int64_t runs_of(const SectionProfile& s) { return s.warm_up.count + s.listed.count + s.later.count; }
double seconds_of(const SectionProfile& s) { return s.warm_up.seconds + s.listed.seconds + s.later.seconds; }

// "12.3", "0.0456": three digits that count.
std::string number(double value) {
  return value == 0 ? "-" : value >= 99.95 ? fmt::format("{:.0f}", value) : fmt::format("{:#.3g}", value);
}

std::string each(const SectionProfile::Runs& runs) {
  return number(1e3 * runs.seconds / static_cast<double>(runs.count)) + " ms each";
}

std::vector<std::string> row(const OpProfile& op, const SectionProfile& s) {
  const auto runs = static_cast<double>(s.listed.count);
  const auto rate = [&](double amount) { return op.seconds > 0 ? amount / op.seconds : 0; };
  return {op.name,
          op.calls == 0 ? "" : fmt::format("{:.4g}", static_cast<double>(op.calls) / runs),
          number(1e3 * op.seconds / runs),
          percent(op.seconds / s.listed.seconds),
          number(1e-9 * rate(op.cost.bytes)),
          number(1e-9 * rate(op.cost.flops)),
          op.bound_seconds == 0 ? "-" : fmt::format("{:.0f}", 100 * rate(op.bound_seconds))};
}

Table operations(const SectionProfile& s) {
  Table table{.header = {"operation", "calls", "ms", "share %", "GB/s", "GFLOP/s", "of ceiling %"}, .rows = {}};
  std::vector<OpProfile> ops = s.ops;
  std::ranges::stable_sort(ops, std::greater<>(), &OpProfile::seconds);
  OpProfile small{.name = "smaller ones"};
  for (const OpProfile& op : ops) {
    if (op.seconds >= kVisible * s.listed.seconds) {
      table.rows.push_back(row(op, s));
      continue;
    }
    small.calls += op.calls;
    small.seconds += op.seconds;
  }
  if (small.calls > 0) table.rows.push_back(row(small, s));
  table.rows.push_back(row({.name = "between them", .seconds = std::max(s.between(), 0.)}, s));
  return table;
}

std::string title_of(const std::string& stage, const SectionProfile& s) {
  return s.name == stage ? "the rest" : s.name;
}

std::string section_text(const std::string& stage, const SectionProfile& s) {
  std::string out = "\n  " + title_of(stage, s);
  if (s.listed.count == 0)
    return out + fmt::format(": {}, all of them warm-up, none listed\n", data::counted(runs_of(s), "run"));
  if (runs_of(s) > 1) {
    out += fmt::format(": {} listed, {}", data::counted(s.listed.count, "run"), each(s.listed));
    if (s.later.count > 0) out += fmt::format("; {} later ones, {}", s.later.count, each(s.later));
    out += ". Per run";
  }
  return out + "\n\n" + to_text(operations(s), 4);
}

void write(const Session& s, const char* stage, json profile) {
  std::ifstream file(s.dir / kFile);
  json all = json::parse(file, nullptr, false);
  if (!all.is_object()) all = json::object();
  profile["device"] = s.ctx.describe();
  all[stage] = std::move(profile);
  data::write_file(s.dir / kFile, {data::as_bytes(all.dump(2) + "\n")});
}

void report(const Session& s, const char* stage) {
  std::vector<SectionProfile> sections = s.ctx.profiler()->take();
  std::rotate(sections.begin(), sections.begin() + 1, sections.end());  // the stage's own was the first to be opened
  const Ceilings& ceilings = s.ctx.profiler()->ceilings();
  write(s, stage, profile_json(ceilings, sections));
  s.report.note(profile_text(stage, ceilings, sections));
}

}  // namespace

std::string profile_text(const std::string& stage, const Ceilings& ceilings,
                         const std::vector<SectionProfile>& sections) {
  double total = 0;
  for (const SectionProfile& s : sections) total += seconds_of(s);
  std::string out = fmt::format("{}: profile of {:.3g} s. Ceilings: {} GB/s copied, {} GFLOP/s f32{} multiplied\n\n",
                                stage, total, number(ceilings.bytes / 1e9), number(ceilings.f32 / 1e9),
                                ceilings.bf16 > 0 ? fmt::format(" and {} bf16", number(ceilings.bf16 / 1e9)) : "");
  Table table{.header = {"part", "runs", "seconds", "share %"}, .rows = {}};
  for (const SectionProfile& s : sections)
    table.rows.push_back(
        {title_of(stage, s), std::to_string(runs_of(s)), number(seconds_of(s)), percent(seconds_of(s) / total)});
  out += to_text(table, 4);
  for (const SectionProfile& s : sections)
    if (!s.ops.empty() || s.listed.count == 0) out += section_text(stage, s);
  return out;
}

json profile_json(const Ceilings& ceilings, const std::vector<SectionProfile>& sections) {
  const auto runs = [](const SectionProfile::Runs& r) { return json{{"runs", r.count}, {"seconds", r.seconds}}; };
  json out = {{"ceilings", {{"bytes", ceilings.bytes}, {"f32", ceilings.f32}}}, {"sections", json::array()}};
  if (ceilings.bf16 > 0) out["ceilings"]["bf16"] = ceilings.bf16;
  for (const SectionProfile& s : sections) {
    json operations = json::array();
    for (const OpProfile& op : s.ops)
      operations.push_back({{"name", op.name},
                            {"calls", op.calls},
                            {"seconds", op.seconds},
                            {"bytes", op.cost.bytes},
                            {"flops", op.cost.flops},
                            {"bound_seconds", op.bound_seconds}});
    out["sections"].push_back({{"name", s.name},
                               {"warm_up", runs(s.warm_up)},
                               {"listed", runs(s.listed)},
                               {"later", runs(s.later)},
                               {"operations", std::move(operations)}});
  }
  return out;
}

void profiled(const Session& s, const char* stage, const std::function<void()>& work) {
  const auto run = [&] {
    const Section section(s.ctx, stage);
    work();
  };
  if (s.ctx.profiler() == nullptr) return run();
  s.ctx.profiler()->take();  // what another stage left when an Error ended it
  try {
    run();
  } catch (const Interrupted&) {  // that is how a profile of a long stage is ended
    report(s, stage);
    throw;
  }
  report(s, stage);
}

}  // namespace kith
