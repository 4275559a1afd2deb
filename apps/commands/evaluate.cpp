// kith evaluate: the last stage of a run, or, with --assignments, the scores of anyone's clustering.
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/commands/arrays.h"
#include "apps/commands/stage_options.h"
#include "apps/commands/stages.h"

namespace kith {
namespace {

const std::vector<std::string> kWithAssignments = {"--json"};

}  // namespace

void add_evaluate_command(CLI::App& app) {
  auto stage = std::make_shared<StageOptions>();
  auto arrays = std::make_shared<EvaluateArrays>();
  CLI::App* command = app.add_subcommand("evaluate", "Score a finished run, or a clustering from arrays");
  add_stage_options(*command, *stage);
  leave_out(*command, kOfTraining);
  stage->command = "evaluate";
  add_from_option(*command, *stage);
  CLI::Option* assignments = command->add_option(
      "--assignments", arrays->assignments,
      "Score the clusters in this .npy: any numbers; -1 is noise; " + kept_options_text(kWithAssignments));
  const auto of_arrays = [&](CLI::Option* option) { option->needs(assignments)->group("With --assignments"); };
  CLI::Option* labels = command->add_option("--labels", arrays->labels, "Classes, .npy");
  of_arrays(labels);
  of_arrays(command->add_option("--probabilities", arrays->probabilities, "Of every sample and cluster, .npy"));
  of_arrays(command->add_option("--confusion", arrays->confusion, "Write the confusion matrix to this CSV file"));
  assignments->needs(labels);
  command->callback([command, stage, arrays] {
    if (arrays->assignments.empty() && stage->out.empty()) throw CLI::RequiredError("--out or --assignments");
    if (arrays->assignments.empty())
      return run_stage(*stage, [](Session& s, const StageOptions& o) { print_summary(s, o, evaluate(s)); });
    refuse_stage_options(*command, "--assignments", kWithAssignments);
    arrays->json = stage->json;
    evaluate_arrays(*arrays);
  });
}

}  // namespace kith
