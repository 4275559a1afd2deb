#include "data/dataset/dataset.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "data/dataset/picture_list.h"
#include "data/dataset/picture_set.h"
#include "data/dataset/readers.h"
#include "data/formats/content.h"
#include "data/formats/files.h"
#include "data/formats/text.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

Names cifar10_names() {
  return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}
Names cifar20_names() {
  return {"aquatic_mammals",
          "fish",
          "flowers",
          "food_containers",
          "fruit_and_vegetables",
          "household_electrical_devices",
          "household_furniture",
          "insects",
          "large_carnivores",
          "large_man-made_outdoor_things",
          "large_natural_outdoor_scenes",
          "large_omnivores_and_herbivores",
          "medium_mammals",
          "non-insect_invertebrates",
          "people",
          "reptiles",
          "small_mammals",
          "trees",
          "vehicles_1",
          "vehicles_2"};
}
Names cifar100_names() {
  return {"apple",      "aquarium_fish", "baby",         "bear",       "beaver",      "bed",         "bee",
          "beetle",     "bicycle",       "bottle",       "bowl",       "boy",         "bridge",      "bus",
          "butterfly",  "camel",         "can",          "castle",     "caterpillar", "cattle",      "chair",
          "chimpanzee", "clock",         "cloud",        "cockroach",  "couch",       "crab",        "crocodile",
          "cup",        "dinosaur",      "dolphin",      "elephant",   "flatfish",    "forest",      "fox",
          "girl",       "hamster",       "house",        "kangaroo",   "keyboard",    "lamp",        "lawn_mower",
          "leopard",    "lion",          "lizard",       "lobster",    "man",         "maple_tree",  "motorcycle",
          "mountain",   "mouse",         "mushroom",     "oak_tree",   "orange",      "orchid",      "otter",
          "palm_tree",  "pear",          "pickup_truck", "pine_tree",  "plain",       "plate",       "poppy",
          "porcupine",  "possum",        "rabbit",       "raccoon",    "ray",         "road",        "rocket",
          "rose",       "sea",           "seal",         "shark",      "shrew",       "skunk",       "skyscraper",
          "snail",      "snake",         "spider",       "squirrel",   "streetcar",   "sunflower",   "sweet_pepper",
          "table",      "tank",          "telephone",    "television", "tiger",       "tractor",     "train",
          "trout",      "tulip",         "turtle",       "wardrobe",   "whale",       "willow_tree", "wolf",
          "woman",      "worm"};
}
Names stl10_names() { return {"airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"}; }
Names fashion_names() {
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
}
Names digit_names() { return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; }

struct Known {
  std::string_view name;
  Names (*class_names)();
  void (*read)(const fs::path&, const Wanted&, Dataset&);
  std::array<float, 3> mean, std;  // a grey set repeats its one value
};

constexpr std::array<float, 3> kCifar100Mean = {.5071f, .4867f, .4408f}, kCifar100Std = {.2675f, .2565f, .2761f};

constexpr std::array kKnown = {
    Known{"cifar10",
          cifar10_names,
          [](const fs::path& dir, const Wanted&, Dataset& out) { read_cifar10(dir, out); },
          {.4914f, .4822f, .4465f},
          {.2023f, .1994f, .2010f}},
    Known{"cifar100", cifar100_names,
          [](const fs::path& dir, const Wanted&, Dataset& out) { read_cifar100(dir, CifarLabels::fine, out); },
          kCifar100Mean, kCifar100Std},
    Known{"cifar20", cifar20_names,
          [](const fs::path& dir, const Wanted&, Dataset& out) { read_cifar100(dir, CifarLabels::coarse, out); },
          kCifar100Mean, kCifar100Std},
    Known{"stl10", stl10_names, read_stl10, {.485f, .456f, .406f}, {.229f, .224f, .225f}},
    Known{"cifar-format",
          [] { return Names{}; },  // the folder's files tell
          [](const fs::path& dir, const Wanted&, Dataset& out) { read_cifar_format(dir, out); },
          {},
          {}},
    Known{"fashion-mnist",
          fashion_names,
          [](const fs::path& dir, const Wanted&, Dataset& out) { read_idx("fashion-mnist", dir, out); },
          {.2860f, .2860f, .2860f},
          {.3530f, .3530f, .3530f}},
    Known{"mnist",
          digit_names,
          [](const fs::path& dir, const Wanted&, Dataset& out) { read_idx("mnist", dir, out); },
          {.1307f, .1307f, .1307f},
          {.3081f, .3081f, .3081f}},
    Known{"folder",
          [] { return Names{}; },  // the sub-folders tell
          [](const fs::path& dir, const Wanted& wanted, Dataset& out) {
            read_pictures(list_folder(dir, wanted.classes_file), wanted, out);
          },
          {},
          {}},
    Known{"list",
          [] { return Names{}; },  // its labels tell
          [](const fs::path& file, const Wanted& wanted, Dataset& out) {
            if (!wanted.classes_file.empty())
              fail("data.classes_file names folders of folder:DIR, and '{}' is a list", out.spec);
            read_pictures(list_file(file), wanted, out);
          },
          {},
          {}},
};

// What is said of pictures and means nothing here is an error, rather than that nothing comes of it.
void expect_no_picture_settings(std::string_view spec, const Wanted& wanted) {
  const char* const field = wanted.holdout > 0                     ? "holdout"
                            : !wanted.classes_file.empty()         ? "classes_file"
                            : wanted.pictures.skip_bad             ? "skip_bad"
                            : wanted.pictures.background != kWhite ? "background"
                                                                   : nullptr;
  if (field != nullptr) fail("data.{} is of picture files, folder:DIR or list:FILE, and '{}' is none", field, spec);
}

// Found where the binary version is expected: the folder of another archive, or a file in it.
constexpr std::pair<const char*, const char*> kOtherVersions[] = {
    {"cifar-10-batches-py", "Python"},  {"data_batch_1", "Python"},
    {"cifar-100-python", "Python"},     {"train", "Python"},
    {"cifar-10-batches-mat", "Matlab"}, {"data_batch_1.mat", "Matlab"},
    {"cifar-100-matlab", "Matlab"},     {"train.mat", "Matlab"},
    {"stl10_matlab", "Matlab"}};

const Known& find_known(std::string_view name) {
  for (const Known& known : kKnown)
    if (known.name == name) return known;
  fail("unknown data set '{}', expected one of {}{}", name, fmt::join(dataset_names(), ", "),
       nearest_hint(name, dataset_names()));
}

}  // namespace

void expect_folder(std::string_view name, const fs::path& dir) {
  if (fs::is_directory(dir)) return;
  if (!fs::exists(dir)) fail("{}: {}: no such folder", name, dir.string());
  fail("{}: {}: is a file, expected the folder of the data set{}", name, dir.string(), but_it_is(dir));
}

void read_names(const fs::path& path, std::vector<std::string>& names) {
  if (!fs::exists(path)) return;
  std::vector<std::string> found = read_lines(path);
  if (found.size() != names.size())
    fail("{}: expected {} class names, found {}", path.string(), names.size(), found.size());
  names = std::move(found);
}

void expect_all(const fs::path& folder, std::span<const std::string> files) {
  std::vector<std::string> missing;
  for (const std::string& file : files)
    if (!fs::exists(folder / file)) missing.push_back(file);
  if (!missing.empty()) fail("{}: missing {}", folder.string(), fmt::join(missing, ", "));
}

fs::path find_folder(std::string_view name, const fs::path& dir, std::span<const char* const> below,
                     std::span<const std::string> files) {
  expect_folder(name, dir);
  std::vector<fs::path> places = {dir};
  for (const char* folder : below) places.push_back(dir / folder);
  for (const fs::path& place : places)
    if (std::ranges::any_of(files, [&](const std::string& file) { return fs::exists(place / file); })) return place;
  for (const auto& [file, version] : kOtherVersions)
    if (fs::exists(dir / file))
      fail("{}: {}: holds the {} version of the data set, expected the binary version", name, dir.string(), version);
  fail("{}: {}: found none of its files ({}, ...) there or in {} below it", name, dir.string(), files.front(),
       fmt::join(below, " or "));
}

const Images& Dataset::of(Role role) const {
  static const Images none;
  const auto split = std::ranges::find(splits, role, &Split::role);
  return split == splits.end() ? none : split->images;
}

Images& Dataset::edit(Role role) {
  if (const auto split = std::ranges::find(splits, role, &Split::role); split != splits.end()) return split->images;
  const char* const name = role == Role::train ? "train" : role == Role::test ? "test" : "unlabelled";
  return splits.emplace_back(Split{.name = name, .role = role, .images = {}}).images;
}

const Images& Dataset::scored() const { return test().count > 0 ? test() : train(); }

Images Dataset::pretext_images() const {
  const Images& more = of(Role::unlabelled);
  Images all = train();
  if (more.count == 0) return all;
  all.count += more.count;
  all.labels.clear();
  if (all.pixels.is_followed_by(more.pixels)) {
    all.pixels = all.pixels.with_next(more.pixels);
    return all;
  }
  std::vector<uint8_t> bytes(all.pixels.begin(), all.pixels.end());
  bytes.insert(bytes.end(), more.pixels.begin(), more.pixels.end());
  all.pixels = std::move(bytes);
  return all;
}

namespace {

int64_t limit_of(const Wanted& wanted, Role role) {
  return role == Role::train ? wanted.train : role == Role::test ? wanted.test : wanted.unlabelled;
}

void keep_wanted(const Wanted& wanted, Dataset& set) {
  if (!wanted.with_unlabelled) std::erase_if(set.splits, [](const Split& s) { return s.role == Role::unlabelled; });
  for (Split& split : set.splits)
    if (const int64_t n = limit_of(wanted, split.role); n > 0 && n < split.images.count)
      split.images = split.images.part(0, n);
}

}  // namespace

std::vector<std::string> dataset_names() {
  Names names;
  for (const Known& known : kKnown) names.emplace_back(known.name);
  return names;
}

bool is_picture_kind(std::string_view spec) { return kind_of(spec) == "folder" || kind_of(spec) == "list"; }

std::string kind_of(std::string_view spec) { return std::string(spec.substr(0, spec.find(':'))); }

std::string path_of(std::string_view spec) {
  return std::string(spec.substr(std::min(spec.size(), kind_of(spec).size() + 1)));
}

Dataset load(std::string_view spec, const Wanted& wanted) {
  const size_t colon = spec.find(':');
  if (std::error_code none; colon == std::string_view::npos && std::filesystem::is_directory(spec, none))
    fail("data set '{0}': expected NAME:DIR; folder:{0} reads the pictures in that folder", spec);
  if (colon == std::string_view::npos || colon + 1 == spec.size())
    fail("data set '{}': expected NAME:DIR, such as cifar10:datasets", spec);
  // A run writes the SPEC to config.toml and summary.json, which are UTF-8.
  if (!is_utf8(spec)) fail("data set '{}': the path is not UTF-8; rename the folder, or link to it", spec);
  const Known& known = find_known(kind_of(spec));
  if (!is_picture_kind(spec)) expect_no_picture_settings(spec, wanted);
  Dataset out{.spec = std::string(spec), .class_names = known.class_names()};
  std::ranges::copy(known.mean, out.mean);
  std::ranges::copy(known.std, out.std);
  known.read(fs::path(spec.substr(colon + 1)), wanted, out);
  keep_wanted(wanted, out);
  return out;
}

}  // namespace kith::data
