// kith export: a trained network for other programs.
#include "scan/stages/export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "apps/answers/answer_options.h"
#include "apps/commands/stages.h"
#include "apps/output_file.h"
#include "apps/output_kinds.h"
#include "scan/text/wrap.h"

namespace kith {

void add_export_command(CLI::App& app) {
  struct Options {
    std::string run, onnx, stage;
  };
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("export", "Write a run's network as an ONNX file");
  command->add_option("--run", o->run, "Run directory; it is only read")->required();
  command->add_option("--onnx", o->onnx, "File to write, its name ending in .onnx")->required();
  command->add_option("--stage", o->stage, "Whose network: cluster, selflabel, refine; default: the last of the run")
      ->check(CLI::IsMember({"cluster", "selflabel", "refine"}));
  command->callback([o] {
    expect_ending(o->onnx, "--onnx", ".onnx");
    expect_creatable(o->onnx);
    expect_replaceable(o->onnx, "--onnx", network_kind());
    refuse_rows(o->run,
                "it has no network of images to write; kith predict --features FILE tells the clusters of rows");
    const Exported e = export_onnx(o->run, o->stage, o->onnx);
    for (const std::string& doubt : e.doubts) fmt::print(stderr, "kith: warning: {}\n", doubt);
    fmt::print("{}\n",
               wrapped_note(fmt::format("{}: {}: images [batch, {}] in 0..1 -> logits, probabilities [batch, {}], "
                                        "features [batch, {}]",
                                        o->onnx, e.stage, fmt::join(e.images, ", "), e.clusters, e.features)));
  });
}

}  // namespace kith
