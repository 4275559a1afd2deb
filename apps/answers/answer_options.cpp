#include "apps/answers/answer_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "apps/commands/stage_options.h"
#include "apps/device.h"
#include "apps/number_options.h"
#include "apps/output_file.h"
#include "apps/run_stage.h"
#include "data/dataset/pictures.h"
#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "nn/device/plans/plan_store.h"
#include "scan/run/own_folder.h"
#include "scan/run/silent_reporter.h"
#include "scan/stages/outlook.h"
#include "scan/text/first_few.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

class QuietReporter final : public SilentReporter {
 public:
  void warn(const std::string& text) override { fmt::print(stderr, "kith: warning: {}\n", text); }
};

// "train" or "test" of pictures, which data.holdout parts.
bool asks_a_part(const AnswerOptions& o) {
  return data::is_picture_kind(o.data) && (o.split == "train" || o.split == "test");
}

// Pictures have splits where the run parted its own, and one of them is asked for.
bool parts_pictures(const AnswerOptions& o, const TrainedRun& run) {
  return asks_a_part(o) && run.config.data.holdout > 0;
}

// As the run's data configuration, of other images: all of them, as large as its network wants them.
DataConfig data_config(const AnswerOptions& o, const TrainedRun& run) {
  DataConfig config = run.config.data;
  config.spec = o.data;
  config.limit_train = config.limit_unlabelled = config.limit_test = 0;
  if (!parts_pictures(o, run)) config.holdout = 0;
  config.classes_file.clear();
  if (data::is_picture_kind(o.data)) {
    config.size = run.shape().height;
    config.skip_bad = o.skip_bad;
  } else {
    config.background = DataConfig().background;
    config.skip_bad = false;
  }
  return config;
}

data::PictureSettings picture_settings(const AnswerOptions& o, const TrainedRun& run) {
  data::PictureSettings settings;
  settings.size = run.shape().height;
  settings.background = data::parse_colour(run.config.data.background);
  settings.skip_bad = o.skip_bad;
  return settings;
}

// As the run's own images came to their size.
data::Rendering rendering_of(const AnswerOptions& o, const TrainedRun& run) {
  const bool by_area = run.config.data.size > 0 && !data::is_picture_kind(run.config.data.spec);
  return {.resizing = by_area ? data::Resizing::by_area : data::Resizing::filtered,
          .tone = o.invert ? data::Tone::negative : data::Tone::as_is};
}

std::vector<std::string> names_of(const data::Split& split) {
  if (!split.images.files.empty()) return split.images.files;
  std::vector<std::string> names;
  for (int64_t i = 0; i < split.images.count; ++i) names.push_back(fmt::format("{}/{}", split.name, i));
  return names;
}

// The pictures that the run was made of.
bool is_own_data(const AnswerOptions& o, const TrainedRun& run) {
  const auto place = [](const std::string& spec) {
    std::error_code ignored;
    return std::filesystem::weakly_canonical(data::path_of(spec), ignored);
  };
  const std::string& own = run.config.data.spec;
  return data::is_picture_kind(own) && data::kind_of(own) == data::kind_of(o.data) && place(own) == place(o.data);
}

void say_note(const std::string& note) { fmt::print(stderr, "{}\n", wrapped_note("kith: " + note)); }

void say_left_out(const data::BadPicture& picture) {
  fmt::print(stderr, "kith: left out: {}: {}\n", data::printable(picture.file), data::printable(picture.reason));
}

std::vector<NamedImages> splits_of(const AnswerOptions& o, const TrainedRun& run) {
  if (asks_a_part(o)) expect_unchanged(run, {"data.holdout"});
  data::Dataset set = load_data(data_config(o, run));
  for (const std::string& note : set.notes) say_note(note);
  for (const data::BadPicture& picture : set.bad) say_left_out(picture);
  std::vector<NamedImages> out;
  std::vector<std::string> there;
  for (data::Split& split : set.splits) {
    if (split.images.count == 0) continue;
    there.push_back(split.name);
    if (o.split != "all" && o.split != split.name) continue;
    const data::Rendering rendering = rendering_of(o, run);
    const bool as_cached = rendering.resizing == data::Resizing::filtered && rendering.tone == data::Tone::as_is;
    if (data::is_picture_kind(o.data) && !as_cached) {
      std::vector<data::BadPicture> bad;  // at their full extent, which may need more memory than there is for one
      split.images = data::load_pictures(split.images.files, picture_settings(o, run), &bad, rendering);
      for (const data::BadPicture& picture : bad) say_left_out(picture);
    }
    std::vector<std::string> names = names_of(split);
    out.push_back({.split = split.name, .images = std::move(split.images), .names = std::move(names)});
  }
  if (out.empty()) {
    if (data::is_picture_kind(o.data) && run.config.data.holdout > 0) there = {"train", "test"};
    throw Error(fmt::format("--split {}: {} has the splits {}", o.split, o.data, fmt::join(there, ", ")));
  }
  if (run.config.data.holdout > 0 && o.split == "all" && is_own_data(o, run))
    say_note(
        fmt::format("{} of {}: those that the run learned from and those that it held out; --split train or test asks "
                    "about one part",
                    data::counted(out.front().images.count, "picture"), o.data));
  return out;
}

// A run, or the folder of some, is easily given where pictures are expected.
[[noreturn]] void refuse_folder(const std::string& folder) {
  constexpr size_t kShown = 3;
  const std::string name = data::printable(folder);
  if (is_run_directory(folder))
    throw Error(fmt::format("{}: is a run, which goes behind --run; expected picture files", name));
  if (const std::vector<std::string> runs = runs_in(folder); !runs.empty())
    throw Error(fmt::format("{}: is a folder of runs ({}), of which one goes behind --run; expected picture files",
                            name, first_few(runs, kShown)));
  throw Error(fmt::format("{0}: is a folder; --data folder:{0} asks about the pictures in it", name));
}

// Before what is wrong with the run: of a name that was mistyped nothing else is of interest.
void expect_files(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(file, error);
    if (std::filesystem::is_directory(status)) refuse_folder(file);
    if (!std::filesystem::exists(status))
      throw Error(fmt::format("{}: {}{}", data::printable(file),
                              error == std::errc::no_such_file_or_directory ? "no such file" : error.message(),
                              data::is_picture_kind(file) ? "; a data set goes behind --data" : ""));
  }
}

NamedImages files_of(const AnswerOptions& o, const TrainedRun& run) {
  std::vector<data::BadPicture> bad;
  NamedImages out{.split = "",
                  .images = data::load_pictures(o.files, picture_settings(o, run), &bad, rendering_of(o, run)),
                  .names = {}};
  for (const data::BadPicture& picture : bad) say_left_out(picture);
  out.names = out.images.files;
  return out;
}

bool asks_pictures(const AnswerOptions& o) { return o.data.empty() || data::is_picture_kind(o.data); }

void expect_pictures_fit(const AnswerOptions& o, const TrainedRun& run) {
  const data::Images& want = run.shape();
  if (o.invert && !asks_pictures(o))
    throw Error(fmt::format("--invert: {} is asked about as it is; expected picture files, or folder:DIR", o.data));
  if (o.invert && want.channels != 1)
    throw Error(fmt::format("--invert: the images of {} have {} channels; expected a run of gray images",
                            run.dir.string(), want.channels));
  if (asks_pictures(o) && want.height != want.width)
    throw Error(fmt::format("{}: a network for images of {} x {} pixels; pictures are read as squares",
                            run.dir.string(), want.height, want.width));
}

// Of images of one channel, from 0 to 1.
double brightness(const std::vector<NamedImages>& parts) {
  double sum = 0, count = 0;
  for (const NamedImages& part : parts) {
    const auto n = static_cast<double>(part.images.count);
    sum += n * data::statistics(part.images).mean[0];
    count += n;
  }
  return sum / count;
}

// Where their negatives would be nearer to what the network learned from, and the pictures are further than a pixel's deviation.
void warn_of_negatives(const AnswerOptions& o, const TrainedRun& run, double bright) {
  const double learned = run.like.mean[0], away = std::abs(bright - learned);
  if (away <= run.like.std[0] || std::abs(1 - bright - learned) >= away) return;
  const bool brighter = bright > learned;
  fmt::print(stderr,
             "kith: warning: the pictures{} are {} ({:.2f} of white on average), the run's images {} ({:.2f}): ask {} "
             "--invert where that is their background\n",
             o.invert ? "' negatives" : "", brighter ? "bright" : "dark", bright, brighter ? "dark" : "bright", learned,
             o.invert ? "without" : "with");
}

// A run of gray images sees pictures in gray.
void as_gray(const AnswerOptions& o, const TrainedRun& run, std::vector<NamedImages>& parts) {
  if (!asks_pictures(o) || run.shape().channels != 1) return;
  for (NamedImages& part : parts) part.images = data::in_gray(part.images);
  say_note(fmt::format("the run is of gray images: pictures become 0.299 R + 0.587 G + 0.114 B{}",
                       o.invert ? ", and their negatives are asked about" : ""));
  warn_of_negatives(o, run, brightness(parts));
}

}  // namespace

void refuse_rows(const std::string& run, const std::string& instead) {
  std::error_code none;
  if (std::filesystem::exists(std::filesystem::path(run) / "run.json", none))
    throw Error(fmt::format("{}: a run on rows of features, not on images; {}", run, instead));
}

void add_answer_options(CLI::App& command, AnswerOptions& o) {
  command.add_option("--run", o.run, "Run directory; it is only read")->required();
  CLI::Option* data = command.add_option("--data", o.data, "Data set, NAME:DIR, such as folder:pictures");
  command.add_option(
      "--split", o.split,
      "Of the data set: train, test, unlabelled; pictures are parted by the run's data.holdout; default: all");
  command.add_option("files", o.files, "Picture files")->excludes(data);
  command.add_flag("--skip-bad", o.skip_bad, "Leave out files that cannot be read, and name them");
  command.add_flag("--invert", o.invert,
                   "Of a run of gray images: ask about the pictures' negatives, where they are dark on white and it "
                   "learned from bright on black");
  add_device_option(command, o.device);
  command.add_option("--precision", o.precision, "auto, f32, bf16; default: the run's")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}));
  whole_number(command.add_option("--threads", o.threads, kThreadsText), 0, 4096);
}

void add_stage_option(CLI::App& command, AnswerOptions& o) {
  command.add_option("--stage", o.stage, "Whose network: cluster, selflabel, refine; default: the last of the run")
      ->check(CLI::IsMember({"cluster", "selflabel", "refine"}));
}

void expect_images_named(const AnswerOptions& o) {
  if (o.data.empty() && o.files.empty()) throw CLI::RequiredError("picture files or --data");
}

Asked open_asked(const AnswerOptions& o) {
  refuse_rows(o.run, o.of_rows);
  Asked asked{
      .run = open_run(o.run, o.stage, o.telling), .context = nullptr, .report = std::make_unique<QuietReporter>()};
  for (const std::string& doubt : doubts_about(asked.run, outlook)) asked.report->warn(doubt);
  for (const std::string& line : untold(asked.run, outlook)) asked.report->warn(line);
  const RunConfig config = with_overrides(
      asked.run.config, o.precision.empty() ? std::vector<std::string>{} : std::vector{"precision=" + o.precision});
  // A run in bf16 also answers where nothing multiplies it, but for those who name bf16.
  const bool may_widen = o.precision.empty() && config.precision == Precision::bf16;
  OpenedContext opened =
      open_context({.device = o.device,
                    .precision = may_widen ? Precision::automatic : config.precision,
                    .options = {.threads = o.threads.value_or(config.threads),
                                .seed = config.seed,
                                .math = {.tf32 = config.tf32, .plan_folder = default_plan_folder()}}},
                   list_devices());
  if (!opened.warning.empty()) asked.report->warn(opened.warning);
  if (may_widen && opened.context->precision() == DType::f32)
    asked.report->warn(
        "the run is in bf16, which this processor does not multiply; it answers in f32, a little differently");
  asked.context = std::move(opened.context);
  return asked;
}

std::vector<NamedImages> images_asked_about(const AnswerOptions& o, const TrainedRun& run) {
  expect_images_named(o);
  if (o.data.empty() && o.split != AnswerOptions{}.split)
    throw Error(fmt::format("--split {}: files are asked about as they are; expected it with --data", o.split));
  if (o.data.empty() && !o.skip_bad) expect_files(o.files);
  expect_pictures_fit(o, run);
  std::vector<NamedImages> out;
  if (o.data.empty())
    out.push_back(files_of(o, run));
  else
    out = splits_of(o, run);
  as_gray(o, run, out);
  return out;
}

void expect_writable(const std::string& path, const AnswerOptions& o) {
  std::error_code ignored;
  const std::filesystem::path file(path);
  const auto folder = std::filesystem::weakly_canonical(file, ignored).parent_path();
  if (!o.run.empty() && std::filesystem::is_regular_file(file, ignored) &&
      folder == std::filesystem::weakly_canonical(std::filesystem::path(o.run) / "x", ignored).parent_path())
    throw Error(path + ": is a file of the run, which is only read; give the output another name");
  expect_creatable(file);
  if (!std::filesystem::exists(file, ignored)) return;
  constexpr std::string_view kList = "list:";
  std::vector<std::string> read = o.files;
  if (o.data.starts_with(kList)) read.push_back(o.data.substr(kList.size()));
  for (const std::string& input : read)
    if (data::would_touch(file, input))
      throw Error(path + ": writing it would replace what is asked about; give the output another name");
}

}  // namespace kith
