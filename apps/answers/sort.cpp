// kith sort: picture files into a folder per cluster.
#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "apps/answers/answer_commands.h"
#include "apps/answers/answer_options.h"
#include "apps/answers/sorting.h"
#include "apps/new_folder.h"
#include "apps/number_options.h"
#include "apps/output_folder.h"
#include "data/dataset/digest.h"
#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "scan/run/own_folder.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

struct SortOptions {
  AnswerOptions asked;
  std::string into;
  bool copy = false;
  float least = 0;
};

// Links in the folder that is read would be pictures of it the next time; the run is not to be written to.
void expect_elsewhere(const SortOptions& o) {
  std::error_code none;
  if (fs::equivalent(o.into, o.asked.run, none))
    throw Error(o.into + ": --into is the run directory, which is only read");
  expect_outside_runs("--into", o.into);
  // Without a record it is no folder of sorted pictures; what was ended before its record stood there left empty folders.
  if (!fs::exists(fs::symlink_status(fs::path(o.into) / ".kith_sort.json", none)))
    expect_nothing_else(o.into,
                        [&](const fs::path& file) { return fs::is_directory(file, none) && fs::is_empty(file, none); });
  expect_outside_data("--into", o.into, o.asked.data);
  expect_usable_folder(o.into);
}

// Empty clusters have no folder.
std::string outcome(const SortOptions& o, const std::vector<Move>& moves, int64_t made) {
  std::set<fs::path> folders;
  int64_t sorted = 0;
  for (const Move& m : moves)
    if (!is_unsure(m, o.into)) folders.insert(m.to.parent_path()), ++sorted;
  const int64_t all = std::ssize(moves);
  std::string text =
      fmt::format("{}: {} in {}", o.into, data::counted(sorted, "picture"), data::counted(folders.size(), "folder"));
  if (o.least > 0) text += fmt::format(" and {} in unsure, below a confidence of {}", all - sorted, o.least);
  return text + fmt::format("; {} {} now, {} there already", made, o.copy ? "copied" : "linked", all - made);
}

void run_sort(const SortOptions& o) {
  expect_images_named(o.asked);
  expect_elsewhere(o);
  const Asked asked = open_asked(o.asked);
  const std::vector<NamedImages> parts = images_asked_about(o.asked, asked.run);
  for (const NamedImages& part : parts)
    if (part.images.files.empty())
      throw Error(
          fmt::format("{}: its images are no files of their own; kith predict lists their clusters", o.asked.data));
  const std::string record =
      sorting_record(data::digest_of_file(asked.run.weights.file), o.least, cluster_names(asked.run), o.asked.invert);
  expect_same_sorting(o.into, record);
  const std::vector<Move> moves = sorted_places(named_answers(asked, parts), o.into, o.least);
  const int64_t made = put(moves, o.into, o.copy ? SortBy::copy : SortBy::link, record);
  fmt::print("{}\n", wrapped_note(outcome(o, moves, made)));
}

}  // namespace

void add_sort_command(CLI::App& app) {
  auto o = std::make_shared<SortOptions>();
  CLI::App* command = app.add_subcommand("sort", "Link or copy picture files into a folder per cluster");
  add_answer_options(*command, o->asked);
  add_stage_option(*command, o->asked);
  o->asked.telling = {.names = true};
  o->asked.of_rows = "kith predict --features FILE lists the cluster of each row";
  command->add_option("--into", o->into, "Folder to fill; nothing in it is overwritten")->required();
  command->add_flag("--copy", o->copy, "Copies in place of links");
  a_share(command->add_option("--min-confidence", o->least, "Less sure images go to INTO/unsure"), OfAll::included);
  command->callback([o] { run_sort(*o); });
}

}  // namespace kith
