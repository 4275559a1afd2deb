#include "apps/commands/data.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/number_options.h"
#include "apps/output_file.h"
#include "apps/output_folder.h"
#include "apps/output_kinds.h"
#include "apps/picture_progress.h"
#include "data/dataset/contact_sheet.h"
#include "data/dataset/dataset.h"
#include "data/dataset/folder_parts.h"
#include "data/dataset/pictures.h"
#include "data/fetch/fetch.h"
#include "data/formats/files.h"
#include "data/formats/png.h"
#include "data/formats/png_software.h"
#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "nn/device/plans/plan_store.h"
#include "scan/preflight/resources.h"
#include "scan/run/splits.h"
#include "scan/text/json_text.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

constexpr char kSheet[] = "kith data info";  // what a sheet names as the software that wrote it

struct FetchOptions {
  std::string name, root = "datasets";
  bool json = false, quiet = false;
};

struct InfoOptions {
  std::string spec, sheet;
  int size = 64;
  std::string background = "white", classes_file;
  double holdout = 0;
  bool json = false, no_unlabelled = false, skip_bad = false;
};

// Events go to stderr, so that stdout is the SPEC alone and a script can use it.
void fetch(const FetchOptions& options) {
  expect_outside_runs("--root", options.root);
  const std::string spec = data::fetch(options.name, options.root, [&](const std::string& line) {
    if (!options.quiet) fmt::print(stderr, "{}\n", line);
  });
  if (options.json)
    fmt::print("{}\n", json_text({{"spec", spec}}));
  else
    fmt::print("{}\n", spec);
}

nlohmann::json describe(const data::Images& images) {
  const data::Statistics s = data::statistics(images);
  const auto channels = static_cast<size_t>(images.channels);
  return {{"count", images.count},
          {"shape", {images.height, images.width, images.channels}},
          {"mean", std::vector<double>(s.mean, s.mean + channels)},
          {"std", std::vector<double>(s.std, s.std + channels)},
          {"per_class", s.per_class},
          {"labelled", images.labelled()}};
}

nlohmann::json describe(const data::Dataset& set) {
  const auto channels = static_cast<size_t>(set.train().channels);
  nlohmann::json out = {{"spec", set.spec},
                        {"classes", set.class_names},
                        {"normalisation",
                         {{"mean", std::vector<float>(set.mean, set.mean + channels)},
                          {"std", std::vector<float>(set.std, set.std + channels)}}}};
  for (const data::BadPicture& bad : set.bad) out["bad"].push_back({{"file", bad.file}, {"reason", bad.reason}});
  for (const data::Split& split : set.splits) {
    out["splits"].push_back(split.name);
    out[split.name] = describe(split.images);
  }
  return out;
}

std::string numbers(const nlohmann::json& list) {
  std::string out;
  for (const auto& value : list) out += fmt::format("{}{:.4f}", out.empty() ? "" : " ", value.get<double>());
  return out;
}

void print_table(const nlohmann::json& info) {
  const auto splits = info["splits"].get<std::vector<std::string>>();
  const auto row = [&](const std::string& name, auto cell) {
    fmt::print("{:<32}", name);
    for (const std::string& split : splits) fmt::print(" {:>16}", cell(info[split]));
    fmt::print("\n");
  };
  fmt::print("{}\n\n{:<32}", info["spec"].get<std::string>(), "");
  for (const std::string& split : splits) fmt::print(" {:>16}", split);
  fmt::print("\n");
  row("images", [](const auto& split) { return split["count"].dump(); });
  row("height x width x channels", [](const auto& split) {
    const auto& shape = split["shape"];
    return fmt::format("{} x {} x {}", shape[0].template get<int>(), shape[1].template get<int>(),
                       shape[2].template get<int>());
  });
  for (size_t c = 0; c < info["classes"].size(); ++c)
    row(fmt::format("{:>4} {}", c, data::printable(info["classes"][c].get<std::string>())), [&](const auto& split) {
      const auto& counts = split["per_class"];
      return c < counts.size() ? counts[c].dump() : counts.empty() && split["count"] > 0 ? "-" : "0";
    });
  for (const std::string& split : splits) {
    if (info[split]["count"] == 0) continue;
    fmt::print("{:<14} mean {}   std {}\n", split, numbers(info[split]["mean"]), numbers(info[split]["std"]));
  }
  const auto& used = info["normalisation"];
  fmt::print("{:<14} mean {}   std {}\n", "normalised with", numbers(used["mean"]), numbers(used["std"]));
}

// A row per class with its first training images, and one of the first unlabelled images, if there are any.
void write_sheet(const data::Dataset& set, const std::string& path) {
  constexpr int kColumns = 12, kSmall = 48;
  std::vector<int64_t> index(static_cast<size_t>(set.classes()) * kColumns, -1);
  std::vector<int> used(static_cast<size_t>(set.classes()), 0);
  const data::Images& train = set.train();
  for (int64_t i = 0; i < train.count; ++i) {
    const auto label = static_cast<size_t>(train.labels[static_cast<size_t>(i)]);
    if (used[label] < kColumns) index[label * kColumns + static_cast<size_t>(used[label]++)] = i;
  }
  for (int64_t i = 0; set.of(data::Role::unlabelled).count > 0 && i < kColumns; ++i)
    index.push_back(i < set.of(data::Role::unlabelled).count ? train.count + i : -1);
  const data::Picture sheet = data::contact_sheet(set.pretext_images(), index, kColumns, train.width < kSmall ? 2 : 1);
  data::write_file(path, {data::with_software(data::encode_png(sheet), kSheet)});
}

// Another file than a sheet that this command wrote stays as it is.
void expect_sheet(const std::string& path) {
  expect_ending(path, "--sheet", ".png");
  expect_creatable(path);
  expect_replaceable(path, "--sheet", {.what = "sheet of kith data info", .is = [](const std::filesystem::path& file) {
                                         return data::png_software(data::read_file(file)) == kSheet;
                                       }});
}

data::Wanted wanted(const InfoOptions& o) {
  return {.with_unlabelled = !o.no_unlabelled,
          .memory = free_host_bytes(),
          .pictures = {.size = o.size, .background = data::parse_colour(o.background), .skip_bad = o.skip_bad},
          .holdout = o.holdout,
          .classes_file = o.classes_file,
          .cache = default_plan_folder(),
          .progress = picture_progress(console_options(o.json, false))};
}

void info(const InfoOptions& options) {
  if (!options.sheet.empty()) {
    expect_sheet(options.sheet);
    expect_outside_data("--sheet", options.sheet, options.spec);
  }
  data::expect_no_parts(options.spec, options.classes_file);
  const data::Dataset set = data::load(options.spec, wanted(options));
  for (const data::Split& split : set.splits)
    for (const std::string& file : split.images.files)
      if (!options.sheet.empty() && data::would_touch(options.sheet, file))
        throw Error(options.sheet + ": --sheet would replace a picture of the data set; give it another name");
  const nlohmann::json description = describe(set);
  if (!options.sheet.empty()) write_sheet(set, options.sheet);
  if (options.json) return fmt::print("{}\n", description.dump(2));
  print_table(description);
  for (const std::string& note : split_notes(set, set.bad.size())) fmt::print("\n{}\n", wrapped_note(note));
}

}  // namespace

void add_data_commands(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "Fetch and describe data sets");
  data->require_subcommand(1);

  auto fetch_options = std::make_shared<FetchOptions>();
  CLI::App* fetch_command = data->add_subcommand("fetch", "Download a data set, verified; prints its SPEC");
  fetch_command->add_option("name", fetch_options->name, "cifar10, cifar100, cifar20 or fashion-mnist")->required();
  fetch_command->add_option("--root", fetch_options->root, "Folder to put it below")->capture_default_str();
  fetch_command->add_flag("--quiet", fetch_options->quiet, "No line per event");
  fetch_command->add_flag("--json", fetch_options->json, "Print the result as JSON");
  fetch_command->callback([fetch_options] { fetch(*fetch_options); });

  auto info_options = std::make_shared<InfoOptions>();
  CLI::App* info_command = data->add_subcommand("info", "Counts, classes, shape and statistics of a data set");
  info_command->add_option("spec", info_options->spec, "NAME:DIR, such as cifar10:datasets")->required();
  info_command->add_option("--sheet", info_options->sheet,
                           "Write a contact sheet to this PNG file; replaces a sheet of this command alone");
  info_command->add_flag("--no-unlabelled", info_options->no_unlabelled,
                         "Without the unlabelled images, if there are any");
  whole_number(info_command->add_option("--size", info_options->size, "Side that picture files are decoded to"), 1,
               data::kLargestPicture, "pixels")
      ->capture_default_str();
  info_command
      ->add_option("--background", info_options->background,
                   "Behind transparent pixels of picture files: white, black, R,G,B")
      ->capture_default_str();
  info_command->add_flag("--skip-bad", info_options->skip_bad,
                         "Leave picture files out that cannot be decoded, and list them");
  a_share(
      info_command->add_option("--holdout", info_options->holdout, "Share of the picture files that is the test split"),
      OfAll::excluded);
  info_command->add_option("--classes-file", info_options->classes_file,
                           "Sub-folders of folder:DIR that are wanted, one a line");
  info_command->add_flag("--json", info_options->json, "Print the description as JSON");
  info_command->callback([info_options] { info(*info_options); });
}

}  // namespace kith
