// The binary version of STL-10: images and labels in files of their own. An image is 3 planes of 96 x 96 bytes, R G B, each
// column by column (the order of Matlab, which the set was made with), so that reading one as if it lay in rows mirrors it at
// its diagonal. Labels count from 1. fold_indices.txt, ten folds of 1,000 train images for supervised learning, is not read.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "data/dataset/readers.h"
#include "data/formats/content.h"
#include "data/formats/files.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;

constexpr int kStlSide = 96, kStlChannels = 3, kClasses = 10;
constexpr size_t kStlPlane = size_t{kStlSide} * kStlSide, kImage = kStlPlane * kStlChannels;
constexpr int64_t kTrain = 5'000, kTest = 8'000, kUnlabelled = 100'000;

void expect_size(const fs::path& path, int64_t count, size_t each, const char* what) {
  std::error_code error;
  const uintmax_t found = fs::file_size(path, error), expected = static_cast<uintmax_t>(count) * each;
  if (error) fail("{}: {}", path.string(), error.message());
  if (found != expected)
    fail("{}: expected {} bytes ({} {}), found {}{}", path.string(), expected, count, what, found, but_it_is(path));
}

void expect_images(const fs::path& path, int64_t count) { expect_size(path, count, kImage, "images of 96 x 96 x 3"); }

// Labels of all images, of which the first `wanted` are kept, counted from 0.
std::vector<int32_t> read_labels(const fs::path& path, int64_t count, int64_t wanted) {
  expect_size(path, count, 1, "labels of a byte");
  std::vector<int32_t> labels;
  for (const uint8_t label : read_file(path)) {
    if (label < 1 || label > kClasses)
      fail("{}: image {}: label {} is out of range 1..{}", path.string(), labels.size(), label, kClasses);
    labels.push_back(label - 1);
  }
  labels.resize(static_cast<size_t>(wanted));
  return labels;
}

void transpose(const uint8_t* columns, uint8_t* rows) {
  for (size_t y = 0; y < kStlSide; ++y)
    for (size_t x = 0; x < kStlSide; ++x)
      for (size_t c = 0; c < kStlChannels; ++c) *rows++ = columns[c * kStlPlane + x * kStlSide + y];
}

// Appends the first `count` images of a file, a few megabytes at a time: no second copy of the set is in memory.
uint8_t* read_images(const fs::path& path, int64_t count, uint8_t* out) {
  constexpr int64_t kAtATime = 256;
  std::vector<uint8_t> block(static_cast<size_t>(std::min(kAtATime, count)) * kImage);
  std::ifstream in = open_file(path);
  for (int64_t first = 0; first < count; first += kAtATime) {
    const int64_t n = std::min(kAtATime, count - first);
    const auto bytes = static_cast<std::streamsize>(static_cast<size_t>(n) * kImage);
    if (!in.read(reinterpret_cast<char*>(block.data()), bytes))
      fail("{}: cannot read image {}: {}", path.string(), first + in.gcount() / static_cast<int64_t>(kImage),
           std::strerror(errno));
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; ++i) transpose(block.data() + i * kImage, out + i * kImage);
    out += n * static_cast<int64_t>(kImage);
  }
  return out;
}

Images as_images(int64_t count, std::vector<uint8_t> pixels) {
  return {.count = count, .height = kStlSide, .width = kStlSide, .channels = kStlChannels, .pixels = std::move(pixels)};
}

int64_t limited(int64_t all, int64_t limit) { return limit > 0 ? std::min(all, limit) : all; }

// A pretext that silently learns from 5,000 images instead of 105,000 is a worse surprise than an error: whoever has left the
// largest file of the archive out says so, in the configuration, where the run keeps it.
void expect_unlabelled(const fs::path& path) {
  if (!fs::exists(path))
    fail(
        "{}: missing; the pretext learns from its {} images; to do without: --set data.unlabelled=false, or "
        "kith data info --no-unlabelled",
        path.string(), kUnlabelled);
  expect_images(path, kUnlabelled);
}

}  // namespace

void read_stl10(const fs::path& dir, const Wanted& wanted, Dataset& out) {
  const std::vector<std::string> files = {"train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"};
  constexpr std::array below = {"stl10_binary"};
  const fs::path folder = find_folder("stl10", dir, below, files), more_path = folder / "unlabeled_X.bin";
  expect_all(folder, files);
  if (wanted.with_unlabelled) expect_unlabelled(more_path);
  expect_images(folder / "train_X.bin", kTrain);
  expect_images(folder / "test_X.bin", kTest);
  read_names(folder / "class_names.txt", out.class_names);

  const int64_t train = limited(kTrain, wanted.train), test = limited(kTest, wanted.test);
  const int64_t more = wanted.with_unlabelled ? limited(kUnlabelled, wanted.unlabelled) : 0;
  std::vector<int32_t> train_labels = read_labels(folder / "train_y.bin", kTrain, train);
  std::vector<int32_t> test_labels = read_labels(folder / "test_y.bin", kTest, test);
  const double bytes = static_cast<double>(kImage) * static_cast<double>(train + more + test);
  if (wanted.memory && bytes > static_cast<double>(*wanted.memory))
    fail("{}: {} images take {:.1f} GiB of memory, {:.1f} GiB are free; take fewer with --set data.limit_unlabelled=N",
         folder.string(), train + more + test, bytes / (1 << 30), static_cast<double>(*wanted.memory) / (1 << 30));

  // Unlabelled images follow the train images in memory: the pretext learns from both without a copy.
  std::vector<uint8_t> learned(static_cast<size_t>(train + more) * kImage), scored(static_cast<size_t>(test) * kImage);
  uint8_t* const after_train = read_images(folder / "train_X.bin", train, learned.data());
  if (more > 0) read_images(more_path, more, after_train);
  read_images(folder / "test_X.bin", test, scored.data());
  const Images all = as_images(train + more, std::move(learned));
  out.edit(Role::train) = all.part(0, train);
  out.edit(Role::train).labels = std::move(train_labels);
  if (more > 0) out.edit(Role::unlabelled) = all.part(train, more);
  out.edit(Role::test) = as_images(test, std::move(scored));
  out.edit(Role::test).labels = std::move(test_labels);
}

}  // namespace kith::data
