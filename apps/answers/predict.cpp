// kith predict: cluster, confidence, runner-up and distance of images that the run may never have seen.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "apps/answers/answer_commands.h"
#include "apps/answers/answer_options.h"
#include "apps/answers/predict_rows.h"
#include "apps/answers/predictions.h"
#include "apps/output_file.h"
#include "apps/output_kinds.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"

namespace kith {
namespace {

struct PredictOptions {
  AnswerOptions asked;
  std::vector<std::string> features;
  std::string out, probabilities;
};

// What the name of --out asks for.
enum class Form { csv, jsonl, npy };

Form form_of(const std::string& out) {
  const std::string ending = std::filesystem::path(out).extension().string();
  if (out.empty() || ending == ".csv") return Form::csv;
  if (ending == ".jsonl") return Form::jsonl;
  if (ending == ".npy") return Form::npy;
  throw Error(fmt::format("--out {}: expected a name ending in .csv, .jsonl or .npy", out));
}

OutputKind kind_of(Form form) {
  if (form == Form::npy) return array_kind("array of clusters", 'i', 4, 1);
  return form == Form::csv ? text_kind("table of kith predict", csv_heads())
                           : text_kind("list of kith predict", {R"({"image":)", R"({"row":)"});
}

void write_answers(const std::string& out, Form form, const NamedAnswers& all) {
  if (form == Form::npy) {
    std::vector<int32_t> clusters;
    for (const Answer& a : all.answers) clusters.push_back(a.cluster);
    data::write_npy<int32_t>(out, clusters, {static_cast<int64_t>(clusters.size())});
    return;
  }
  const std::string text = form == Form::csv ? csv(all) : json_lines(all);
  if (out.empty())
    fmt::print("{}", text);
  else
    data::write_file(out, {data::as_bytes(text)});
}

NamedAnswers answers_of_images(const AnswerOptions& o, std::vector<float>* probabilities) {
  const Asked asked = open_asked(o);
  NamedAnswers all = named_answers(asked, images_asked_about(o, asked.run), probabilities);
  fmt::print(stderr, "kith: answered by the network of the stage {}\n", asked.run.stage);
  return all;
}

void run_predict(const PredictOptions& o) {
  if (o.features.empty()) expect_images_named(o.asked);
  const Form form = form_of(o.out);
  expect_ending(o.probabilities, "--probabilities", ".npy");
  if (!o.out.empty() && !o.probabilities.empty() &&
      (data::would_touch(o.out, o.probabilities) || data::would_touch(o.probabilities, o.out)))
    throw Error(o.out + ": --out and --probabilities are one file; give them different names");
  for (const std::string& path : {o.out, o.probabilities}) {
    if (path.empty()) continue;
    expect_writable(path, o.asked);
    for (const std::string& file : o.features)
      if (data::would_touch(path, file))
        throw Error(path + ": writing it would replace the features; give the output another name");
  }
  if (!o.out.empty()) expect_replaceable(o.out, "--out", kind_of(form));
  if (!o.probabilities.empty()) expect_replaceable(o.probabilities, "--probabilities", probabilities_kind());
  std::vector<float> probabilities;
  std::vector<float>* wanted = o.probabilities.empty() ? nullptr : &probabilities;
  const NamedAnswers all =
      o.features.empty() ? answers_of_images(o.asked, wanted) : answers_of_rows(o.asked, o.features, wanted);
  write_answers(o.out, form, all);
  if (!o.probabilities.empty())
    data::write_npy<float>(o.probabilities, probabilities,
                           {static_cast<int64_t>(all.answers.size()), static_cast<int64_t>(all.clusters.size())});
}

}  // namespace

void add_predict_command(CLI::App& app) {
  auto o = std::make_shared<PredictOptions>();
  CLI::App* command =
      app.add_subcommand("predict", "Clusters of images, or rows of features, that a run may never have seen");
  add_answer_options(*command, o->asked);
  add_stage_option(*command, o->asked);
  o->asked.telling = {.names = true, .distances = true};
  o->asked.of_rows = "kith predict --features FILE asks about rows of features";
  command
      ->add_option("--features", o->features,
                   "In place of images, rows for a run of kith cluster --features: .npy or .safetensors[:TENSOR], held "
                   "in f32, a file "
                   "per space of the run, in its order")
      ->allow_extra_args(false);
  command->add_option("--out", o->out,
                      "File to write: .csv or .jsonl (a line per image), .npy (clusters, int32); default: CSV on "
                      "standard output");
  command->add_option("--probabilities", o->probabilities, "Also write all probabilities, .npy, [images, clusters]");
  command->callback([o] { run_predict(*o); });
}

}  // namespace kith
