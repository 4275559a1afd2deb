#include "apps/examples.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr auto kExamples = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"run",
     "kith run --data cifar10:datasets --preset quick --out runs/a\n"
     "kith run --out runs/a                    continues\n"
     "kith run --data folder:photos --out runs/photos \\\n"
     "    --set cluster.classes=20 --set data.holdout=0.1\n"
     "# Another clustering of the same features:\n"
     "kith run --from runs/a --out runs/b --set cluster.classes=20\n"
     "kith run --data cifar10:datasets --preset quick --seeds 0,1,2 --out runs/abc\n"
     "kith run --data cifar10:datasets --preset quick --ranks 4 --out runs/b"},
    {"pretext",
     "kith pretext --data folder:photos --preset quick --out runs/photos \\\n"
     "    --set pretext.epochs=50"},
    {"mine",
     "kith mine --out runs/a --set mine.k=50\n"
     "kith mine --features F.npy --k 20 --out I.npy --scores S.npy\n"
     "kith mine --out runs/a --neighbours I.npz     lists of other programs"},
    {"cluster",
     "kith cluster --out runs/a --set cluster.heads=10\n"
     "kith cluster --features F.npy --clusters auto --method kmeans --out runs/rows"},
    {"selflabel", "kith selflabel --out runs/a --set selflabel.threshold=0.95"},
    {"refine",
     "kith refine --out runs/a --set refine.enabled=true \\\n"
     "    --set refine.agreement=0.7 --set refine.confidence=0.7"},
    {"evaluate",
     "kith evaluate --out runs/a\n"
     "kith evaluate --assignments A.npy --labels L.npy --json"},
    {"import",
     "kith import resnet50.safetensors --data folder:photos --preset paper-cifar10 \\\n"
     "    --set data.size=224 --out runs/i\n"
     "kith import resnet18.safetensors --train --data folder:photos --out runs/i \\\n"
     "    --set data.size=64"},
    {"export", "kith export --run runs/a --onnx net.onnx"},
    {"predict",
     "kith predict --run runs/a new/*.jpg\n"
     "kith predict --run runs/a --data folder:more --out predictions.csv \\\n"
     "    --probabilities P.npy\n"
     "# Dark on white, where the run learned bright on black:\n"
     "kith predict --run runs/digits --invert scan.png\n"
     "kith predict --run runs/features --features NEW.npy"},
    {"features", "kith features --run runs/a --data folder:more --out F.npy"},
    {"neighbours", "kith neighbours --run runs/a --k 10 new/cat.jpg"},
    {"graph",
     "kith graph --run runs/a --out G.npz\n"
     "kith graph --run runs/a --form mutual --out G.npz\n"
     "kith graph --neighbours I.npy --scores S.npy --out edges.csv"},
    {"sort", "kith sort --run runs/a --data folder:photos --into sorted --min-confidence 0.5"},
    {"gallery", "kith gallery --run runs/a --data folder:photos --out gallery"},
    {"ablate", "kith ablate grid.toml --out runs/grid --jobs 2"},
    {"compare",
     "kith compare runs/a runs/b\n"
     "kith compare runs/grid/cells/*/ --format markdown --page compared.html"},
    {"watch",
     "kith watch runs/a\n"
     "kith watch runs/a --serve 0     prints the address of a page that grows"},
    {"data", "kith data fetch cifar10 --root datasets"},
    {"data fetch", "kith data fetch fashion-mnist --root datasets"},
    {"data info",
     "kith data info cifar10:datasets\n"
     "kith data info folder:photos --sheet sheet.png"},
    {"presets", "kith presets quick"},
    {"fields", "kith fields cluster"},
    {"info", "kith info --json"},
    {"man", "kith man | man -l -"},
    {"completion",
     "eval \"$(kith completion bash)\"     in ~/.bashrc\n"
     "eval \"$(kith completion zsh)\"      in ~/.zshrc"},
});

bool takes_fields(const CLI::App& command) { return command.get_option_no_throw("--set") != nullptr; }

void add_examples_below(CLI::App& app, const std::string& above) {
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string name = above + command->get_name();
    std::string text;
    for (const auto& [of, lines] : kExamples)
      if (of == name) text = lines;
    check(!text.empty(), "examples: a command without one");
    for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1))
      text.replace(at, 1, "\n  ");
    command->footer(
        fmt::format("Examples:\n  {}{}", text, takes_fields(*command) ? "\n\nWhat --set takes: kith fields" : ""));
    add_examples_below(*command, name + " ");
  }
}

}  // namespace

void add_examples(CLI::App& app) {
  app.footer("kith COMMAND --help says more, with examples; so does kith help COMMAND.");
  add_examples_below(app, "");
}

}  // namespace kith
