#include "scan/stages/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <span>
#include <string_view>

#include "data/dataset/digest.h"
#include "data/formats/content.h"
#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "scan/input/image_source.h"
#include "scan/input/views.h"
#include "scan/metrics/alike_rows.h"
#include "scan/pretext/task.h"
#include "scan/stages/models.h"
#include "scan/stages/pretext.h"
#include "scan/stages/stages.h"
#include "scan/train/checkpoint.h"
#include "scan/train/inference.h"

namespace kith {
namespace {

// Letters that a configuration holds as they are.
std::string plain(std::string text) {
  for (char& c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && std::string_view("._-").find(c) == std::string_view::npos)
      c = '_';
  return text;
}

const HostArray* find(const Import& import, const std::string& name) {
  const auto at = import.file.weights.arrays.find(name);
  return at == import.file.weights.arrays.end() ? nullptr : &at->second;
}

bool has(const Import& import, const std::string& prefix) {
  const auto at = import.file.weights.arrays.lower_bound(prefix);
  return at != import.file.weights.arrays.end() && at->first.starts_with(prefix);
}

// An extent of a tensor; 0 where there is no such tensor, or it has fewer: what loads the weights says so.
int64_t extent(const Import& import, const std::string& name, size_t axis) {
  const HostArray* array = find(import, name);
  return array && axis < array->shape.size() ? array->shape[axis] : 0;
}

std::array<int, 4> blocks_in(const Import& import) {
  std::array<int, 4> blocks{};
  for (size_t l = 0; l < blocks.size(); ++l)
    while (has(import, fmt::format("backbone.layer{}.{}.", l + 1, blocks[l]))) ++blocks[l];
  return blocks;
}

int depth_of(const Import& import) {
  const std::array<int, 4> blocks = blocks_in(import);
  const bool bottleneck = find(import, "backbone.layer1.0.conv3.weight") != nullptr;
  for (const int depth : {18, 34, 50})
    if (blocks == blocks_of(depth) && bottleneck == ResNetConfig{.depth = depth}.bottleneck()) return depth;
  throw Error(fmt::format("{}: layers of {} {}; expected those of ResNet-18, -34 or -50", import.file.weights.file,
                          fmt::join(blocks, ", "), bottleneck ? "bottlenecks" : "basic blocks"));
}

// A network for images of other channels has one tensor of another shape, which says less.
void expect_channels(const Import& import, const data::Dataset& data) {
  const int64_t channels = extent(import, "backbone.conv1.weight", 1);
  if (channels != data.train().channels)
    throw Error(fmt::format("{}: a network for images of {}; those of {} have {}", import.file.weights.file,
                            data::counted(channels, "channel"), data.spec, data.train().channels));
}

// All or nothing, and everything that does not fit in one line.
template <class F>
void complete(F&& load) {
  try {
    load();
  } catch (const Error& e) {
    throw Error(
        fmt::format("{}. To leave tensors out, name what they begin with: --ignore PREFIX; without a projection head "
                    "the backbone's features are mined",
                    e.what()));
  }
}

void say_what_was_read(Session& s, const Import& import) {
  const ForeignWeights& f = import.file;
  const ModelConfig& model = s.config.model;
  s.report.note(fmt::format("import: ResNet-{}, width {}, {}{}", model.depth, model.width,
                            f.has_head                     ? fmt::format("projection to {}", model.projection)
                            : import.as == ImportAs::start ? "no projection head: it begins as drawn"
                                                           : "no projection head: backbone features are mined",
                            import.head ? fmt::format(", cluster head {}", *import.head) : ""));
  if (!f.left_out.empty()) s.report.note(fmt::format("import: left out: {}", fmt::join(f.left_out, ", ")));
  const auto begins = [&](const std::string& text) {
    return std::ranges::any_of(f.left_out, [&](const std::string& name) { return name.starts_with(text); }) ||
           std::ranges::any_of(f.weights.called, [&](const auto& name) { return name.second.starts_with(text); });
  };
  if (model.stem != Stem::imagenet && (begins("projector.") || begins("classifier.")))
    s.report.warn(
        "import: these names are solo-learn's, whose networks for CIFAR pad the first convolution by 2 where kith's "
        "pad by 1: features differ a little from those that were learned");
}

// A file of torch.save is an archive whose first member is a pickle, or, of old, a pickle.
bool is_torch_save(std::string_view head) {
  return head.starts_with("PK\x03\x04") ? head.find("data.pkl") != head.npos : head.starts_with('\x80');
}

// What people have instead.
void expect_safetensors(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file)) throw Error(file.string() + ": is a directory; expected a safetensors file");
  std::array<char, data::kContentHead> bytes{};
  std::ifstream in(file, std::ios::binary);
  in.read(bytes.data(), bytes.size());
  const std::string_view head(bytes.data(), static_cast<size_t>(in.gcount()));
  if (head.size() > 8 && head[8] == '{') return;  // behind a length whose bytes may be any
  if (is_torch_save(head))
    throw Error(
        file.string() +
        ": looks like a file of torch.save; expected safetensors, docs/weights.md has the lines that convert it");
  if (const std::string what = data::content_of(data::as_bytes(head)); !what.empty())
    throw Error(fmt::format("{}: is {}; expected weights as safetensors", file.string(), what));
}

}  // namespace

Import read_import(const std::filesystem::path& file, const std::vector<std::string>& ignore, std::optional<int> head,
                   ImportAs as) {
  expect_safetensors(file);
  Import import{.file = with_our_names(read_safetensors(file), ignore), .source = {}, .head = head, .as = as};
  import.source = fmt::format("{} {}", plain(file.filename().string()), data::digest_of_file(file));
  if (const HostArray* first = find(import, "backbone.conv1.weight"); first && first->dtype != "F32")
    throw Error(fmt::format("{}: numbers of type {}; expected F32: convert them with tensor.float()", file.string(),
                            first->dtype));
  const std::vector<int>& heads = import.file.cluster_heads;
  if (as == ImportAs::start && !heads.empty())
    throw Error(file.string() +
                ": cluster heads of features that --train changes; --ignore cluster_head. leaves them out");
  if (head && std::ranges::find(heads, *head) == heads.end())
    throw Error(
        fmt::format("{}: --head {}: the file has {}", file.string(), *head,
                    heads.empty() ? "no cluster head" : fmt::format("cluster heads {}", fmt::join(heads, ", "))));
  if (!head && heads.size() > 1)
    throw Error(fmt::format("{}: cluster heads {}; say with --head N which one is to be taken", file.string(),
                            fmt::join(heads, ", ")));
  if (!head && heads.size() == 1) import.head = heads.front();
  return import;
}

std::vector<std::string> fields_of(const Import& import) {
  const int64_t width = extent(import, "backbone.conv1.weight", 0);
  std::vector<std::string> fields = {fmt::format("model.depth={}", depth_of(import)),
                                     fmt::format("model.width={}", width)};
  if (import.as == ImportAs::start)
    fields.push_back(fmt::format("pretext.start=\"{}\"", import.source));
  else
    fields.insert(fields.end(),
                  {"pretext.task=simclr", "pretext.epochs=0", fmt::format("pretext.weights=\"{}\"", import.source)});
  if (!import.file.has_head && import.as == ImportAs::result)
    fields.push_back("model.projection=0");
  else if (const int64_t projection = extent(import, "contrastive_head.2.weight", 0); projection > 0)
    fields.push_back(fmt::format("model.projection={}", projection));
  if (extent(import, "backbone.conv1.weight", 2) == 7) fields.push_back("model.stem=imagenet");
  if (!import.head) return fields;
  if (const int64_t n = extent(import, fmt::format("cluster_head.{}.weight", *import.head), 0); n > 1)
    fields.push_back(fmt::format("cluster.classes={}", n));
  fields.push_back(fmt::format("cluster.weights=\"{}\"", import.source));
  fields.push_back("selflabel.enabled=false");
  return fields;
}

std::string missing_import(const RunConfig& config, const std::filesystem::path& run_dir, const std::string& stage) {
  if (stage == "cluster" && !config.cluster.weights.empty())
    return fmt::format(
        "cluster.weights: the result of this stage was imported from {}; --set 'cluster.weights=\"\"' trains one in "
        "its "
        "place",
        config.cluster.weights);
  if (stage != "pretext") return "";
  if (!config.pretext.weights.empty())
    return fmt::format(
        "{}: missing or replaced; pretext.weights says that it was imported from {}, and kith import, which alone sets "
        "that field, writes into a new run directory",
        (run_dir / "pretext.safetensors").string(), config.pretext.weights);
  if (!config.pretext.start.empty() && !std::filesystem::exists(start_path(run_dir)))
    return fmt::format(
        "{}: missing; pretext.start says that training begins with {}, and kith import --train, which alone sets that "
        "field, writes it into a new run directory",
        start_path(run_dir).string(), config.pretext.start);
  return "";
}

namespace {

// The first images that are not one picture, if there are such.
data::Images some_images(const data::Images& of) {
  constexpr int64_t kSome = 256;
  data::Images some = of.part(0, std::min(kSome, of.count));
  const std::span<const uint8_t> pixels{some.pixels.data(), some.pixels.size()};
  const auto bytes = static_cast<size_t>(some.image_bytes());
  const bool differ = !std::ranges::equal(pixels.subspan(bytes), pixels.first(pixels.size() - bytes));
  return differ ? some : data::Images{};
}

// What is wrong with a network that sees no difference between images; empty: nothing.
std::string about_features(Session& s, const Import& import, PretextTask& task) {
  const data::Images some = some_images(s.data.train());
  if (some.count == 0) return "";
  const ImageSource source(s.ctx, some, Residency::automatic);
  AlikeRows alike;
  alike.add(host_rows(infer(Views(source, s.data), s.report, [&](Tape& tape, Var x) {
              return task.features(tape, x);
            })).view());
  return !alike.all() ? ""
                      : fmt::format("{}: the network gives the first {} train images the same features{}",
                                    import.file.weights.file, some.count, alike.zero() ? ", zeros" : "");
}

// The weights are tried on the network before anything is written.
void train_from(Session& s, const Import& import) {
  const auto task = pretext_task(s.config.pretext.task).make(s.config, s.data, s.images.of(s.data.pretext_images()));
  complete([&] { begin_with(import.file.weights, *task); });
  say_what_was_read(s, import);
  if (const std::string text = about_features(s, import, *task); !text.empty()) s.report.warn(text);
  s.ledger.before_write();
  write_safetensors(start_path(s.dir), import.file.weights);
  pretext(s);
}

}  // namespace

void import_weights(Session& s, const Import& import) {
  expect_channels(import, s.data);
  if (import.as == ImportAs::start) return train_from(s, import);
  const auto task = pretext_task(s.config.pretext.task).make(s.config, s.data, s.images.of(s.data.train()));
  StateView all = task->state();
  std::optional<ClusterModel> model;
  if (import.head) {
    model.emplace(s.ctx, s.config, s.data, import.file.cluster_heads.back() + 1);
    const StateView heads = model->head_state();
    all.parameters.insert(all.parameters.end(), heads.parameters.begin(), heads.parameters.end());
  }
  complete([&] { load_state(all, import.file.weights); });
  say_what_was_read(s, import);
  if (const std::string text = about_features(s, import, *task); !text.empty())
    throw Error(text + "; expected weights of a network that tells images apart");
  write_result(s, "pretext", save_state(task->state()));
  pretext(s);
  if (!model) return;
  mine(s);
  load_state(model->backbone_state(), with_prefix(import.file.weights, "backbone."));
  write_result(s, "cluster", single_head(save_state(model->state()), *import.head));
}

}  // namespace kith
