#include "apps/commands/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/formats/files.h"
#include "scan/ablate/compare.h"
#include "scan/ablate/page.h"
#include "scan/ablate/results.h"

namespace kith {
namespace {

struct CompareOptions {
  std::vector<std::filesystem::path> runs;
  std::string format = "text", page;
};

std::string comparison(const std::string& format, const Grid& grid, const GridResults& results) {
  if (format == "csv") return to_csv(grid, results);
  if (format == "markdown") return to_markdown(grid, results);
  if (format == "latex") return to_latex(grid, results);
  return to_text(grid, results);
}

void compare(const CompareOptions& o) {
  const ComparedRuns compared = compared_runs(o.runs);
  const GridResults results = collect(compared.grid, compared.summaries, agreement_of_seeds(compared.grid, o.runs));
  if (!o.page.empty()) {
    std::vector<std::string> names;
    for (const std::filesystem::path& run : o.runs) names.push_back(run.string());
    const std::string page = render_grid_page(compared.grid, results,
                                              {.title = fmt::format("{} runs compared", o.runs.size()),
                                               .facts = {{"Runs", fmt::format("{}", fmt::join(names, ", "))}}});
    data::write_file(o.page, {data::as_bytes(page)});
  }
  fmt::print("{}", comparison(o.format, compared.grid, results));
  if (results.figures.empty()) fmt::print("no figures: runs without labels have none to compare\n");
}

}  // namespace

void add_compare_command(CLI::App& app) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command =
      app.add_subcommand("compare", "Finished runs side by side, over seeds: text, CSV, Markdown, LaTeX, a page");
  command->add_option("runs", options->runs, "Run directories; those that differ in their seed alone make one row")
      ->required();
  command->add_option("--format", options->format, "text, csv, markdown, latex")
      ->check(CLI::IsMember({"text", "csv", "markdown", "latex"}))
      ->capture_default_str();
  command->add_option("--page", options->page, "HTML file to write beside");
  command->callback([options] { compare(*options); });
}

}  // namespace kith
