// kith gallery: clusters to look at, as a page and a sheet of pictures each.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "apps/answers/answer_commands.h"
#include "apps/answers/answer_options.h"
#include "apps/answers/gallery_page.h"
#include "apps/given_command.h"
#include "apps/new_folder.h"
#include "apps/number_options.h"
#include "apps/output_folder.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "scan/run/made.h"
#include "scan/run/own_folder.h"
#include "scan/stages/answers.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

struct GalleryOptions {
  AnswerOptions asked;
  std::string out;
  int most = 40, least = 10, tile = 128;
  std::string command = {};  // as it was given
};

// What a command leaves that was ended before its page stood there.
bool is_beginning_of_gallery(const fs::path& file) {
  std::error_code ignored;
  const std::string name = file.filename();
  return !fs::exists(file.parent_path() / "index.html", ignored) &&
         (name == "index.html.partial" ||
          (name.starts_with("cluster_") && (name.ends_with(".png") || name.ends_with(".png.partial"))));
}

void remove_beginning(const std::string& out) {
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(out, failed))
    if (is_beginning_of_gallery(entry.path())) fs::remove(entry.path(), failed);
}

void run_gallery(const GalleryOptions& o) {
  expect_images_named(o.asked);
  expect_outside_data("--out", o.out, o.asked.data);
  expect_outside_runs("--out", o.out);
  expect_nothing_else(o.out, is_beginning_of_gallery);
  expect_usable_folder(o.out);
  const Asked asked = open_asked(o.asked);
  std::vector<NamedImages> parts = images_asked_about(o.asked, asked.run);
  Gallery gallery{.run = asked.run.dir.string(),
                  .made = made_facts(*asked.context),
                  .command = o.command,
                  .clusters = cluster_names(asked.run),
                  .of_cluster = {},
                  .parts = parts,
                  .most = o.most,
                  .least = o.least,
                  .background = data::parse_colour(asked.run.config.data.background),
                  .tile = o.tile};
  gallery.of_cluster.resize(gallery.clusters.size());
  for (size_t part = 0; part < parts.size(); ++part) {
    const Answers found = answers(*asked.context, *asked.report, asked.run, parts[part].images);
    for (size_t i = 0; i < found.each.size(); ++i)
      gallery.of_cluster[static_cast<size_t>(found.each[i].cluster)].push_back(
          {.part = part, .index = static_cast<int64_t>(i), .confidence = found.each[i].confidence});
  }
  for (auto& members : gallery.of_cluster)
    std::ranges::stable_sort(members, std::greater{}, &Gallery::Member::confidence);
  std::error_code failed;
  const bool made = fs::create_directories(o.out, failed);
  if (failed) throw Error(fmt::format("{}: cannot create: {}", o.out, failed.message()));
  if (!made) remove_beginning(o.out);
  try {
    write_gallery(gallery, o.out);
  } catch (...) {  // the folder was empty, and the same command is to find it so
    remove_beginning(o.out);
    if (made) fs::remove(o.out, failed);
    throw;
  }
  fmt::print("{}\n", (fs::path(o.out) / "index.html").string());
}

}  // namespace

void add_gallery_command(CLI::App& app) {
  auto o = std::make_shared<GalleryOptions>();
  CLI::App* command = app.add_subcommand("gallery", "Pages and picture sheets of the clusters, to look at");
  add_answer_options(*command, o->asked);
  add_stage_option(*command, o->asked);
  o->asked.telling = {.names = true};
  o->asked.of_rows = "its report.html shows the clusters, and kith predict --features FILE lists those of rows";
  command
      ->add_option("--out", o->out,
                   "Folder for index.html and a PNG per cluster that is not empty: a new or an empty folder")
      ->required();
  whole_number(command->add_option("--most", o->most, "Pictures of each cluster that the network is surest of"), 1,
               1000)
      ->capture_default_str();
  whole_number(command->add_option("--least", o->least, "Pictures of each cluster that it is least sure of"), 0, 1000)
      ->capture_default_str();
  whole_number(command->add_option("--tile", o->tile, "Side of a picture on the sheets; each links to its file"), 16,
               512, "pixels")
      ->capture_default_str();
  command->callback([o, command] {
    o->command = given_command(*command);
    run_gallery(*o);
  });
}

}  // namespace kith
