#include "apps/commands/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/answers/answer_options.h"
#include "apps/given_command.h"
#include "apps/output_file.h"
#include "apps/output_kinds.h"
#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "scan/ablate/compare.h"
#include "scan/ablate/page.h"
#include "scan/ablate/results.h"
#include "scan/stages/outlook.h"

namespace kith {
namespace {

// Of a page.
std::string title_of(size_t runs) { return data::counted(runs, "run") + " compared"; }
bool has_title(std::string_view page) {
  return page.find(" runs compared</title>") != page.npos || page.find("1 run compared</title>") != page.npos;
}

constexpr char kSeveral[] = "the runs are of several data sets: figures of different images do not compare";

struct CompareOptions {
  std::vector<std::filesystem::path> runs;
  std::string format = "text", page;
  std::string command = {};  // as it was given
};

std::string comparison(const std::string& format, const Grid& grid, const GridResults& results) {
  if (format == "csv") return to_csv(grid, results);
  if (format == "markdown") return to_markdown(grid, results);
  if (format == "latex") return to_latex(grid, results);
  return to_text(grid, results);
}

// Another file than a page that this command wrote stays as it is.
void expect_page(const CompareOptions& o) {
  expect_ending(o.page, "--page", ".html");
  AnswerOptions asked;
  for (const std::filesystem::path& run : o.runs) {
    asked.run = run.string();
    expect_writable(o.page, asked);
  }
  expect_replaceable(o.page, "--page", {.what = "page of kith compare", .is = [](const std::filesystem::path& file) {
                                          const std::vector<uint8_t> bytes = data::read_file(file);
                                          return has_title({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
                                        }});
}

void compare(const CompareOptions& o) {
  if (!o.page.empty()) expect_page(o);
  const ComparedRuns compared = compared_runs(o.runs, outlook);
  const GridResults results = collect(compared.grid, compared.summaries, agreement_of_seeds(compared.grid, o.runs));
  std::vector<std::string> warnings = compared.warnings;
  if (compared.several_data) warnings.emplace_back(kSeveral);
  if (!o.page.empty()) {
    std::vector<std::string> names;
    for (size_t r = 0; r < o.runs.size(); ++r)
      names.push_back(fmt::format("{} ({})", o.runs[r].string(), compared.data[r]));
    std::vector<std::string> data;
    if (compared.several_data)
      for (const GridSetting& setting : compared.grid.settings) data.push_back(setting.values.front());
    const std::string page = render_grid_page(compared.grid, results,
                                              {.title = title_of(o.runs.size()),
                                               .facts = {{"Runs", fmt::format("{}", fmt::join(names, ", "))}},
                                               .warnings = warnings,
                                               .data = std::move(data),
                                               .chance = chance_of(results, compared.summaries),
                                               .command = o.command});
    data::write_file(o.page, {data::as_bytes(page)});
  }
  fmt::print("{}", comparison(o.format, compared.grid, results));
  for (const std::string& warning : warnings) fmt::print(stderr, "kith: warning: {}\n", warning);
  if (std::ranges::none_of(results.figures, [](const Figure& f) { return f.key == std::string_view("scan_acc"); }))
    fmt::print(stderr, "kith: no run was scored with labels: there are no accuracies to compare\n");
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
  command->add_option("--page", options->page,
                      "HTML file to write beside, .html; replaces a page of this command alone");
  command->callback([options, command] {
    options->command = given_command(*command);
    compare(*options);
  });
}

}  // namespace kith
