// kith cluster: a stage of a run, or, with --features, clusters of anyone's rows.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/commands/cluster_features.h"
#include "apps/commands/stage_options.h"
#include "apps/commands/stages.h"

namespace kith {
namespace {

const std::vector<std::string> kWithRows = {"--out",     "--set",   "--seed", "--device",
                                            "--threads", "--quiet", "--json", "--dry-run"};

}  // namespace

void add_cluster_command(CLI::App& app) {
  auto stage = std::make_shared<StageOptions>();
  auto rows = std::make_shared<ClusterFeatures>();
  CLI::App* command = app.add_subcommand("cluster", "Train the clustering heads of a run, or cluster rows of features");
  add_stage_options(*command, *stage);
  stage->command = "cluster";
  add_from_option(*command, *stage);
  command->get_option("--out")->required();
  CLI::Option* features = command
                              ->add_option("--features", rows->features,
                                           "Cluster the rows of this .npy or .safetensors[:TENSOR], held in f32; "
                                           "several: one space each, for turtle; "
                                           "needs --clusters; " +
                                               kept_options_text(kWithRows))
                              ->allow_extra_args(false);
  const auto of_rows = [&](CLI::Option* option) { return option->needs(features)->group("With --features"); };
  of_rows(
      command->add_option("--clusters", rows->request.clusters,
                          fmt::format("How many: a number; several (5,10,20) or auto: the one of largest silhouette (2 "
                                      "to {})",
                                      kMostClusters)));
  of_rows(command->add_option("--method", rows->request.method, "What clusters the rows")
              ->check(CLI::IsMember(row_method_names())))
      ->capture_default_str();
  of_rows(
      command
          ->add_option("--normalize", rows->normalize, "yes, no: rows of unit length; by default for kmeans and scan")
          ->check(CLI::IsMember({"yes", "no"})));
  of_rows(command
              ->add_option("--standardize", rows->standardize,
                           "yes, no: columns of mean 0 and deviation 1; by default for scan")
              ->check(CLI::IsMember({"yes", "no"})));
  of_rows(command->add_option("--labels", rows->labels, "Classes of the rows, .npy: for scores alone"));
  command->callback([command, stage, rows] {
    if (rows->features.empty()) return run_stage(*stage, [](Session& s, auto&) { cluster(s); });
    refuse_stage_options(*command, "--features", kWithRows);
    if (rows->request.clusters.empty()) throw CLI::RequiredError("--clusters");
    of_usage([&] { return cluster_numbers(rows->request.clusters); });
    rows->request.overrides = stage->overrides;
    rows->request.seed = stage->seed.value_or(0);
    rows->out = stage->out;
    rows->device = stage->device;
    rows->threads = stage->threads.value_or(0);
    rows->quiet = stage->quiet;
    rows->json = stage->json;
    rows->dry_run = stage->dry_run;
    cluster_rows(*rows);
  });
}

}  // namespace kith
