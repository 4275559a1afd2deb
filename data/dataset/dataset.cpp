#include "data/dataset/dataset.h"

#include <algorithm>
#include <array>

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
Names fashion_names() {
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
}
Names digit_names() { return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; }

struct Known {
  std::string_view name;
  Names (*class_names)();
  void (*read)(const fs::path&, Dataset&);
  std::array<float, 3> mean, std;  // a grey set repeats its one value
};

constexpr std::array<float, 3> kCifar100Mean = {.5071f, .4867f, .4408f}, kCifar100Std = {.2675f, .2565f, .2761f};

constexpr std::array kKnown = {
    Known{"cifar10", cifar10_names, read_cifar10, {.4914f, .4822f, .4465f}, {.2023f, .1994f, .2010f}},
    Known{"cifar100", cifar100_names,
          [](const fs::path& dir, Dataset& out) { read_cifar100(dir, CifarLabels::fine, out); }, kCifar100Mean,
          kCifar100Std},
    Known{"cifar20", cifar20_names,
          [](const fs::path& dir, Dataset& out) { read_cifar100(dir, CifarLabels::coarse, out); }, kCifar100Mean,
          kCifar100Std},
    Known{"cifar-format", [] { return Names{}; }, read_cifar_format, {}, {}},  // the folder's files tell
    Known{"fashion-mnist",
          fashion_names,
          [](const fs::path& dir, Dataset& out) { read_idx("fashion-mnist", dir, out); },
          {.2860f, .2860f, .2860f},
          {.3530f, .3530f, .3530f}},
    Known{"mnist",
          digit_names,
          [](const fs::path& dir, Dataset& out) { read_idx("mnist", dir, out); },
          {.1307f, .1307f, .1307f},
          {.3081f, .3081f, .3081f}},
};

const Known& find_known(std::string_view name) {
  for (const Known& known : kKnown)
    if (known.name == name) return known;
  fail("unknown data set '{}', expected one of {}", name, fmt::join(dataset_names(), ", "));
}

}  // namespace

void expect_folder(std::string_view name, const fs::path& dir) {
  if (fs::is_directory(dir)) return;
  if (!fs::exists(dir)) fail("{}: {}: no such folder", name, dir.string());
  fail("{}: {}: is a file, expected the folder of the data set{}", name, dir.string(), but_it_is(dir));
}

fs::path find_folder(std::string_view name, const fs::path& dir, std::span<const char* const> below,
                     std::span<const std::string> files) {
  expect_folder(name, dir);
  std::vector<fs::path> places = {dir};
  for (const char* folder : below) places.push_back(dir / folder);
  for (const fs::path& place : places)
    if (std::ranges::any_of(files, [&](const std::string& file) { return fs::exists(place / file); })) return place;
  if (fs::exists(dir / "cifar-10-batches-py") || fs::exists(dir / "data_batch_1"))
    fail("{}: {}: holds the Python version of the data set, expected the binary version", name, dir.string());
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

std::vector<std::string> dataset_names() {
  Names names;
  for (const Known& known : kKnown) names.emplace_back(known.name);
  return names;
}

std::string kind_of(std::string_view spec) { return std::string(spec.substr(0, spec.find(':'))); }

Dataset load(std::string_view spec) {
  const size_t colon = spec.find(':');
  if (colon == std::string_view::npos || colon + 1 == spec.size())
    fail("data set '{}': expected NAME:DIR, such as cifar10:datasets", spec);
  // A run writes the SPEC to config.toml and summary.json, which are UTF-8.
  if (!is_utf8(spec)) fail("data set '{}': the path is not UTF-8; rename the folder, or link to it", spec);
  const Known& known = find_known(kind_of(spec));
  Dataset out{.spec = std::string(spec), .class_names = known.class_names()};
  std::ranges::copy(known.mean, out.mean);
  std::ranges::copy(known.std, out.std);
  known.read(fs::path(spec.substr(colon + 1)), out);
  return out;
}

}  // namespace kith::data
