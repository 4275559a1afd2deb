// kith mine: a stage of a run, or, with --features, a search among anyone's rows.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/commands/arrays.h"
#include "apps/commands/stage_options.h"
#include "apps/commands/stages.h"
#include "apps/device.h"
#include "apps/launch.h"
#include "apps/number_options.h"
#include "nn/device/accelerator.h"
#include "scan/run/ranks.h"
#include "scan/stages/given_neighbours.h"

namespace kith {
namespace {

const std::vector<std::string> kWithFeatures = {"--out", "--device", "--threads", "--ranks", "--quiet"};

// By all ranks, each on its device.
void mine_rows(const StageOptions& o, const MineArrays& arrays) {
  const std::shared_ptr<Collective> ranks = join_ranks(o.ranks, {});
  as_rank(*ranks, [&] {
    OpenedContext opened;
    together(*ranks, [&] {
      expect_device_of_ranks(o.device, ranks->size(), ranks_here(*ranks), list_devices());
      const int threads = threads_of_rank(*ranks, o.threads.value_or(0));
      opened = open_context({.device = device_of_rank(o.device, *ranks),
                             .precision = Precision::f32,
                             .options = {.threads = threads, .collective = ranks}},
                            list_devices());
    });
    MineArrays all = arrays;
    all.accepted = [&] {
      if (ranks->size() > 1) opened.line += fmt::format("; {} ranks, {}", ranks->size(), ranks->engine());
      if (!o.quiet) fmt::print(stderr, "{}\n", opened.line);
      if (!opened.warning.empty()) fmt::print(stderr, "kith: warning: {}\n", opened.warning);
    };
    mine_arrays(*opened.context, all);
  });
}

}  // namespace

void add_mine_command(CLI::App& app) {
  auto stage = std::make_shared<StageOptions>();
  auto arrays = std::make_shared<MineArrays>();
  CLI::App* command = app.add_subcommand("mine", "Find the nearest neighbours of every image, or row of an array");
  add_stage_options(*command, *stage);
  leave_out(*command, kOfTraining);
  leave_out(*command, {"--stream"});  // it reads no images
  stage->command = "mine";
  add_from_option(*command, *stage);
  command->get_option("--out")->required()->description("Run directory; with --features the file of the neighbours");
  CLI::Option* features = command->add_option(
      "--features", arrays->features,
      "Search among the rows of this .npy, mapped; --ranks share the search; " + kept_options_text(kWithFeatures));
  command
      ->add_option("--neighbours", stage->neighbours,
                   "Take the train images' neighbours from this .npy or .npz (kith graph --help) in place of a search")
      ->check(not_empty())
      ->excludes(features);
  const auto of_arrays = [&](CLI::Option* option) { option->needs(features)->group("With --features"); };
  of_arrays(
      whole_number(command->add_option("--k", arrays->k, "Neighbours of each row"), 1, 4096)->capture_default_str());
  of_arrays(command->add_flag("--include-self", arrays->include_self, "A row may be its own neighbour"));
  of_arrays(command->add_flag("--normalize", arrays->normalize, "Search by angle: scale rows to unit length first"));
  of_arrays(command->add_option("--scores", arrays->scores, "Write the inner products to this .npy"));
  command->callback([command, stage, arrays] {
    if (arrays->features.empty())
      return run_stage(*stage, [](Session& s, const StageOptions& o) {
        o.neighbours.empty() ? mine(s) : mine_given(s, o.neighbours);
      });
    refuse_stage_options(*command, "--features", kWithFeatures);
    arrays->out = stage->out;
    mine_rows(*stage, *arrays);
  });
}

}  // namespace kith
