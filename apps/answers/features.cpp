// kith features: rows of features of any images, from any stage of a run.
#include <fmt/format.h>

#include "apps/answers/answer_commands.h"
#include "apps/answers/answer_options.h"
#include "apps/output_file.h"
#include "apps/output_kinds.h"
#include "data/formats/counted.h"
#include "data/formats/npy.h"
#include "scan/stages/answers.h"

namespace kith {
namespace {

struct FeaturesOptions {
  AnswerOptions asked;
  std::string out;
};

void run_features(const FeaturesOptions& o) {
  expect_images_named(o.asked);
  expect_ending(o.out, "--out", ".npy");
  expect_writable(o.out, o.asked);
  expect_replaceable(o.out, "--out", array_kind("array of features (f32)", 'f', 4, 2));
  const Asked asked = open_asked(o.asked);
  ImageFeatures all;
  for (const NamedImages& part : images_asked_about(o.asked, asked.run)) {
    const ImageFeatures found = features(*asked.context, *asked.report, asked.run, part.images);
    all.values.insert(all.values.end(), found.values.begin(), found.values.end());
    all.rows += found.rows;
    all.columns = found.columns;
  }
  data::write_npy<float>(o.out, all.values, {all.rows, all.columns});
  fmt::print("{}: {}: {} of {}\n", o.out, asked.run.stage, data::counted(all.rows, "row"),
             data::counted(all.columns, "feature"));
}

}  // namespace

void add_features_command(CLI::App& app) {
  auto o = std::make_shared<FeaturesOptions>();
  CLI::App* command = app.add_subcommand("features", "Features of images, from any stage of a run, as .npy");
  add_answer_options(*command, o->asked);
  o->asked.stage = "pretext";
  o->asked.of_rows = "its rows are features themselves, those of the files that its run.json names";
  command
      ->add_option("--stage", o->asked.stage,
                   "pretext (the rows that are mined, unit length), cluster, selflabel, refine (the backbone's)")
      ->check(CLI::IsMember({"pretext", "cluster", "selflabel", "refine"}))
      ->capture_default_str();
  command->add_option("--out", o->out, "File to write, .npy, [images, features] f32")->required();
  command->callback([o] { run_features(*o); });
}

}  // namespace kith
