#include "apps/commands/stages.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands/run_seeds.h"
#include "apps/commands/stage_options.h"
#include "apps/given_command.h"
#include "nn/device/ranks/collective.h"
#include "scan/metrics/evaluation.h"
#include "scan/metrics/judgement.h"
#include "scan/text/json_text.h"
#include "scan/text/table.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

void add_stage(CLI::App& app, const char* name, const char* help, Stage stage) {
  auto options = std::make_shared<StageOptions>();
  CLI::App* command = app.add_subcommand(name, help);
  add_stage_options(*command, *options);
  options->command = name;
  if (options->command != "pretext") add_from_option(*command, *options);
  command->get_option("--out")->required();
  command->callback([options, stage = std::move(stage)] { run_stage(*options, stage); });
}

// What can be said without labels.
void print_judgement(const nlohmann::json& judged, int clusters) {
  const nlohmann::json& silhouette = judged.at("silhouette");
  std::string line =
      fmt::format("  {} of {} clusters used, mean confidence {:.1f} %", judged.at("clusters_used").get<int>(), clusters,
                  100 * judged.at("mean_confidence").get<double>());
  if (silhouette.at("mean").is_number())
    line += fmt::format(
        ", silhouette {:.3f}{}", silhouette.at("mean").get<double>(),
        silhouette.at("exact").get<bool>() ? "" : fmt::format(" of {} images", silhouette.at("rows").get<int64_t>()));
  if (judged.contains("agreement_of_heads"))
    line += fmt::format(", the heads agree to {:.3f} (NMI)", judged.at("agreement_of_heads").get<double>());
  fmt::print("\n{}\n", wrapped(line, 4));
  fmt::print("{}", unusual_text(judged, "near_duplicates_train", "outliers_train", "images", "train images"));
}

}  // namespace

void print_summary(const Session& session, const StageOptions& options, const nlohmann::json& summary) {
  if (session.ctx.collective().rank() != 0) return;
  if (options.json) return fmt::print("{}\n", json_text({{"summary", summary}}));
  std::vector<std::pair<std::string, Scores>> rows;
  for (const nlohmann::json& row : summary.at("table"))
    if (row.contains("acc"))
      rows.emplace_back(row.at("name"), Scores{.acc = row.at("acc"),
                                               .nmi = row.at("nmi"),
                                               .ari = row.at("ari"),
                                               .acc_many_to_one = row.at("acc_many_to_one")});
  const nlohmann::json& data = summary.at("data");
  if (!rows.empty()) fmt::print("\n{}", scores_text(rows, data.at("clusters") != data.at("classes")));
  print_judgement(summary.at("final").at("judgement"), data.at("clusters"));
  fmt::print("\n  {}\n", (session.dir / "report.html").string());
}

namespace {

void add_run_command(CLI::App& app) {
  auto options = std::make_shared<StageOptions>();
  auto seeds = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("run", "All stages, continuing where they stopped");
  add_stage_options(*command, *options);
  add_from_option(*command, *options);
  command->get_option("--out")->required();
  command->add_option("--seeds", *seeds,
                      "Several runs, 0,1,2 or 0-2: --out becomes a folder of them, with means and deviations");
  command->callback([command, options, seeds] {
    if (command->count("--seeds") > 0)
      return run_seeds(*options, of_usage([&] { return seeds_of(*seeds); }), given_command(*command));
    run_stage(*options, [](Session& s, const StageOptions& o) { print_summary(s, o, run(s)); });
  });
}

}  // namespace

void add_stage_commands(CLI::App& app) {
  add_run_command(app);
  add_stage(app, "pretext", "Train the backbone by instance discrimination", [](Session& s, auto&) { pretext(s); });
  add_mine_command(app);
  add_cluster_command(app);
  add_stage(app, "selflabel", "Train on the model's own confident predictions",
            [](Session& s, auto&) { selflabel(s); });
  add_stage(app, "refine", "Train from reliable labels, semi-supervised", [](Session& s, auto&) { refine(s); });
  add_evaluate_command(app);
  add_import_command(app);
  add_export_command(app);
}

}  // namespace kith
