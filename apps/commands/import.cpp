// kith import: a run directory that begins with weights from elsewhere.
#include "scan/stages/import.h"

#include <fmt/format.h>

#include <climits>
#include <filesystem>
#include <memory>

#include "apps/commands/stage_options.h"
#include "apps/commands/stages.h"
#include "apps/number_options.h"
#include "apps/output_folder.h"
#include "kernels/core/check.h"
#include "scan/run/own_folder.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

struct ImportOptions {
  StageOptions stage;
  std::string file;
  std::vector<std::string> ignore;
  std::optional<int> head;
  bool train = false;
};

// What was begun with other weights stays as it is.
void expect_new(const std::string& out) {
  std::error_code none;
  if (std::filesystem::exists(config_path(out), none))
    throw Error(fmt::format(
        "{0}: holds a run, which kith run --out {0} continues; kith import begins one; expected an empty or "
        "a new folder",
        out));
  expect_nothing_else(out, [](const std::filesystem::path&) { return false; });
}

// An import that could not write its weights has not begun a run: the same command may be given again.
void write_weights(Session& s, const Import& import) {
  try {
    import_weights(s, import);
  } catch (const Interrupted&) {
    throw;
  } catch (...) {
    const StageRecords records = read_records(s.dir);
    const auto written = records.find("pretext");
    if (import.as == ImportAs::result && (written == records.end() || written->second.under_way)) {
      std::error_code ignored;
      std::filesystem::remove(s.dir / "stages.json", ignored);
      for (const std::string& file : stage_info("pretext").outputs) std::filesystem::remove(s.dir / file, ignored);
      std::filesystem::remove(config_path(s.dir.string()), ignored);
    }
    throw;
  }
}

void run_import(const ImportOptions& o) {
  expect_no_grid(o.stage.out);
  expect_outside_runs("--out", o.stage.out);
  expect_new(o.stage.out);
  const Import import = read_import(o.file, o.ignore, o.head, o.train ? ImportAs::start : ImportAs::result);
  StageOptions stage = o.stage;
  stage.next = "run";
  stage.imports = true;
  stage.overrides = fields_of(import);
  stage.overrides.insert(stage.overrides.end(), o.stage.overrides.begin(), o.stage.overrides.end());
  run_stage(stage, [&](Session& s, auto&) { write_weights(s, import); });
}

}  // namespace

void add_import_command(CLI::App& app) {
  auto o = std::make_shared<ImportOptions>();
  CLI::App* command = app.add_subcommand("import", "Begin a run with weights from elsewhere in place of a pretext");
  add_stage_options(*command, o->stage);
  o->stage.command = "pretext";
  leave_out(*command, {"--fields", "--dry-run", "--ranks", "--sync-bn", "--no-graphs"});
  command->get_option("--out")->required()->description("Run directory to begin: a new or an empty folder");
  command
      ->add_option(
          "file", o->file,
          "Weights, .safetensors: a ResNet with the names of the SCAN authors, torchvision, lightly or solo-learn")
      ->required();
  command->add_option("--ignore", o->ignore, "Leave out tensors whose names begin so; may be given several times")
      ->allow_extra_args(false);
  whole_number(command->add_option("--head", o->head, "Of several cluster heads the one to take, cluster_head.N"), 0,
               INT_MAX);
  command->add_flag("--train", o->train,
                    "The pretext begins with these weights and is trained, in place of being done with them");
  command->callback([o] { run_import(*o); });
}

}  // namespace kith
