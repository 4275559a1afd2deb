// Image data sets on the host: splits of uint8 NHWC images, labels, names.
#pragma once
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/pixels.h"
#include "data/pictures/decode.h"

namespace kith::data {

// True if a clustering can be compared with the labels. Labels of one class (zeros, where a format cannot say "no label") count
// as none: every score of every clustering would be perfect or undefined.
bool labelled(std::span<const int32_t> labels);

struct Images {
  int64_t count = 0;
  int height = 0, width = 0, channels = 0;
  Pixels pixels = {};                   // [count, height, width, channels]
  std::vector<int32_t> labels = {};     // [count], or empty when unlabelled
  std::vector<std::string> files = {};  // [count], the path of each image's file, or empty where images are no files

  bool labelled() const { return data::labelled(labels); }
  int64_t image_bytes() const { return int64_t{height} * width * channels; }
  Images part(int64_t first, int64_t n) const;  // images first .. first + n - 1, in the same memory
};

// Purpose of a split.
enum class Role : uint8_t {
  train,       // the pretext learns from it; neighbours are searched and clusters learned in it
  unlabelled,  // only the pretext learns from it, beside train
  test,        // results are scored on it; no stage learns from it
};

struct Split {
  std::string name;  // "train", "unlabelled", "test", or what the data set calls it
  Role role;
  Images images;
};

// How picture files become images. A run directory has it in config.toml, as data.size and so on.
struct PictureSettings {
  int size = 0;                // side of the images
  Colour background = kWhite;  // behind transparent pixels
  bool skip_bad = false;       // files that cannot be decoded are left out, else the first is an error
};

struct BadPicture {
  int64_t index = 0;  // in the list of files
  std::string file, reason;
};

struct Dataset {
  std::string spec;  // as given, "cifar10:DIR"
  std::vector<std::string> class_names = {};
  std::deque<Split> splits = {};                  // at most one of each role; references stay valid as more are made
  float mean[3] = {0, 0, 0}, std[3] = {1, 1, 1};  // normalisation constants of pixel values in [0, 1]
  std::vector<std::string> notes = {};            // what was left out of the files, a line each
  std::vector<BadPicture> bad = {};               // picture files that were left out because they cannot be decoded

  int classes() const { return static_cast<int>(class_names.size()); }
  const Images& of(Role) const;  // without images where there is no such split
  Images& edit(Role);            // a new split, of the role's name, where there is none
  const Images& train() const { return of(Role::train); }
  const Images& test() const { return of(Role::test); }
  const Images& scored() const;  // test, or train where there are no test images
  // Images that the pretext learns from: train, then unlabelled; no labels if there are unlabelled images. The same memory
  // where the two splits follow each other in it or there is only train, else a copy.
  Images pretext_images() const;
};

// What is read of a data set.
struct Wanted {
  int64_t train = 0, unlabelled = 0, test = 0;  // the first n images of the split; 0: all
  bool with_unlabelled = true;         // false: the data set has no unlabelled images, and needs no file of them
  std::optional<int64_t> memory = {};  // bytes that images may take, where that is known
  PictureSettings pictures = {};       // these are of picture files alone, an error elsewhere:
  double holdout = 0;                  // share of the files that are the test split
  std::string classes_file = {};       // of the sub-folders that are wanted; empty: all
  std::filesystem::path cache = {};    // folder of decoded pictures; empty: none are kept
  std::function<void(int64_t done, int64_t total)> progress =
      {};  // of decoding, by one thread at a time; may throw to end it
};

// SPEC = NAME:DIR. Names: cifar10, cifar100 (fine labels), cifar20 (the 20 coarse labels of CIFAR-100), stl10 (the
// binary version, with its 100,000 unlabelled images; no more is read than is wanted), fashion-mnist, mnist (IDX,
// plain or .gz); cifar-format: a set of one's own, train.bin and test.bin of any number of records as in CIFAR-10 (a
// label byte, 1,024 red, 1,024 green, 1,024 blue) and class_names.txt, one a line, UTF-8; without test.bin, or with
// an empty one, the test split holds no image; unlabeled.bin, if there, holds more images for the pretext, whose
// label bytes are not looked at; mean and std measured on train.bin.
// folder:DIR and list:FILE are picture files, decoded to squares of RGB (data/dataset/picture_list.h says which files and labels,
// data/dataset/picture_set.h what becomes of them); mean and std measured on the train images.
// DIR may be the folder of the files or its parent as the official archives unpack.
// Error, one line: unknown name (lists the known ones, and the nearest), a SPEC that is not UTF-8, missing file,
// wrong size (found and expected), a file of another kind (says which), label out of range, a name that is not UTF-8
// (file and line).
Dataset load(std::string_view spec, const Wanted& = {});
std::string kind_of(std::string_view spec);   // NAME of NAME:DIR; all of it where there is no colon
std::string path_of(std::string_view spec);   // DIR of NAME:DIR; empty where there is no colon
bool is_picture_kind(std::string_view spec);  // folder: or list:
std::vector<std::string> dataset_names();     // those that load knows

// Area-average resize to size x size (exact box filter, rounded to nearest); for the small CPU presets.
Images resized(const Images&, int size);

struct Statistics {
  double mean[3] = {}, std[3] = {};  // of pixel values in [0, 1]
  std::vector<int64_t> per_class;
};
Statistics statistics(const Images&);

}  // namespace kith::data
