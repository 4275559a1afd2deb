// What the commands share that ask a finished run about images: predict, features, neighbours, sort, gallery.
#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "nn/tensor/context.h"
#include "scan/run/reporter.h"
#include "scan/run/trained_run.h"

namespace kith {

struct AnswerOptions {
  std::string run, stage;
  std::string data, split = "all";
  std::vector<std::string> files;
  bool skip_bad = false, invert = false;
  Telling telling = {};      // beside what the network says
  const char* of_rows = "";  // what the command's counterpart for rows of features is, to end a refusal with
  std::string device = "auto", precision;
  std::optional<int> threads;
};

// --run, --data, --split, files, --skip-bad, --invert, --device, --precision, --threads.
void add_answer_options(CLI::App&, AnswerOptions&);
// --stage, of those that have clusters.
void add_stage_option(CLI::App&, AnswerOptions&);

// Images with what to call them: the file of each, or "test/17".
struct NamedImages {
  std::string split;  // empty: files named on the command line
  data::Images images;
  std::vector<std::string> names;
};

// The run, and the device that it is asked on.
struct Asked {
  TrainedRun run;
  std::unique_ptr<Context> context;
  std::unique_ptr<Reporter> report;  // no progress; nothing is saved half way, so that Ctrl-C ends the program
};

// CLI::RequiredError: neither files nor --data.
void expect_images_named(const AnswerOptions&);

Asked open_asked(const AnswerOptions&);

// Error, one line, ended with `instead`: a run of kith cluster --features, which knows no images.
void refuse_rows(const std::string& run, const std::string& instead);

// The files, or the data set's splits that have images, decoded and resized as the run's own were; where those are gray, pictures
// become so, with --invert their negatives, and a line says it. Bad files that are left out are named on standard error. Warns
// where pictures are bright and the run's images dark, or the other way about. Error: a split that the data set has
// not; --invert without pictures, or for a run of colours.
std::vector<NamedImages> images_asked_about(const AnswerOptions&, const TrainedRun&);

// Error, one line, where `path` cannot or must not be written, as early as that can be known: no such folder, or a folder itself; a
// file of the run; a file that is asked about, or the list of them.
void expect_writable(const std::string& path, const AnswerOptions&);

}  // namespace kith
