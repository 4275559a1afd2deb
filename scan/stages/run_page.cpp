#include "scan/stages/run_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "data/formats/files.h"
#include "scan/config/run_command.h"
#include "scan/run/arithmetic.h"
#include "scan/run/lost_lines.h"
#include "scan/run/made.h"
#include "scan/run/metrics_log.h"
#include "scan/run/timing.h"

namespace kith {
namespace {

using nlohmann::json;
using Facts = std::vector<std::pair<std::string, std::string>>;

Facts facts_of(const Session& s, int clusters, const json& judged) {
  const data::Images &train = s.data.train(), &scored = s.data.scored();
  const int64_t more = s.data.of(data::Role::unlabelled).count;
  Facts facts = {{"Images", fmt::format("{} train, {}{} scored, {} x {} x {}", train.count,
                                        more > 0 ? fmt::format("{} unlabelled, ", more) : "", scored.count,
                                        scored.height, scored.width, scored.channels)},
                 {"Network", fmt::format("ResNet-{}, width {}", s.config.model.depth, s.config.model.width)},
                 {"Clusters", fmt::format("{}, {} used", clusters, judged["clusters_used"].get<int>())},
                 {"Mean confidence", fmt::format("{:.1f} %", 100 * judged["mean_confidence"].get<double>())}};
  if (const json& silhouette = judged["silhouette"]["mean"]; !silhouette.is_null())
    facts.emplace_back("Silhouette", fmt::format("{:.3f}", silhouette.get<double>()));
  if (judged.contains("agreement_of_heads"))
    facts.emplace_back("Agreement of heads", fmt::format("{:.3f}", judged["agreement_of_heads"].get<double>()));
  facts.emplace_back("Copies and near-duplicates",
                     std::to_string(judged["near_duplicates_train"]["images"].get<int64_t>()));
  return facts;
}

// As the training loop logs it.
std::string arithmetic_of(const Session& s) {
  return s.ctx.precision() == DType::bf16 ? "bf16" : s.config.tf32 ? "tf32" : "f32";
}

// "pretext 31 s, mine 1 s": of those that are on record.
std::string times_of(const Session& s) {
  const json times = recorded_seconds(s);
  std::string out;
  for (const char* stage : {"pretext", "mine", "cluster", "selflabel", "refine"})
    if (times.contains(stage))
      out += fmt::format("{}{} {:.0f} s", out.empty() ? "" : ", ", stage, times[stage].get<double>());
  return out;
}

}  // namespace

void write_run_page(const Session& s, int clusters, const json& judged, PageInput page) {
  page.title = fmt::format("{}, preset {}, seed {}", shown_data(s.data.spec), s.config.preset, s.config.seed);
  page.facts = facts_of(s, clusters, judged);
  page.metrics = finished_log(s.dir);
  std::ranges::move(made_facts(s.ctx), std::back_inserter(page.facts));
  // What it was evaluated in stands among the facts already.
  if (const TrainedIn in = trained_in(page.metrics); !in.text.empty() && in.text != arithmetic_of(s)) {
    page.facts.emplace_back("Trained in", in.text);
    if (in.several)
      page.command_note = fmt::format(
          "This run was continued in another precision ({}); the command computes all of it in {}, and its results "
          "will "
          "differ a little.",
          in.text, s.config.precision == Precision::bf16 ? "bf16" : "f32");
  }
  if (const std::string times = times_of(s); !times.empty()) page.facts.emplace_back("Time", times);
  if (const std::string lost = lost_lines(s.dir, s.config, AtWork::no); !lost.empty()) {
    page.facts.emplace_back("Log", lost);
    s.report.warn(lost);
  }
  page.command = run_command(s.config, s.dir.string());
  page.config = to_toml(s.config);
  page.refined = s.config.refine.enabled;
  data::write_file(s.dir / "report.html", {data::as_bytes(render_page(page))});
}

}  // namespace kith
