// The binary versions of CIFAR-10 and CIFAR-100: records of one or two label bytes and 3,072 pixel bytes, planes R G B.
#include <array>

#include "data/dataset/readers.h"
#include "data/formats/content.h"
#include "data/formats/files.h"
#include "data/formats/text.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;

constexpr int kSide = 32, kChannels = 3;
constexpr size_t kPlane = kSide * kSide, kPixels = kPlane * kChannels;

struct Record {
  std::vector<int> classes;  // of each label byte before the pixels
  size_t label_at = 0;       // the one that counts
  size_t bytes() const { return classes.size() + kPixels; }
};

// Pixels and labels of records, one after another.
struct Contents {
  std::vector<uint8_t> pixels;
  std::vector<int32_t> labels;

  int64_t count() const { return static_cast<int64_t>(pixels.size() / kPixels); }
  Images images() && {
    const int64_t n = count();
    return {.count = n,
            .height = kSide,
            .width = kSide,
            .channels = kChannels,
            .pixels = std::move(pixels),
            .labels = std::move(labels)};
  }
};

void append_pixels(const uint8_t* planes, std::vector<uint8_t>& pixels) {
  const size_t first = pixels.size();
  pixels.resize(first + kPixels);
  for (size_t p = 0; p < kPlane; ++p)
    for (size_t c = 0; c < kChannels; ++c) pixels[first + p * kChannels + c] = planes[c * kPlane + p];
}

// Labels that do not count are checked, too: one out of range is the sign of a file that is not what it is taken for.
void check_labels(const fs::path& path, const Record& record, size_t r, const uint8_t* labels) {
  for (size_t i = 0; i < record.classes.size(); ++i)
    if (labels[i] >= record.classes[i])
      fail("{}: record {}: {}label {} is out of range 0..{}", path.string(), r,
           record.classes.size() == 1 ? ""
           : i == 0                   ? "coarse "
                                      : "fine ",
           labels[i], record.classes[i] - 1);
}

// `labelled`: labels are checked and kept.
void append(const fs::path& path, const Record& record, size_t records, bool labelled, Contents& out) {
  const size_t record_bytes = record.bytes();
  std::error_code error;
  const uintmax_t found = fs::file_size(path, error);
  if (error) fail("{}: {}", path.string(), error.message());
  if (found != records * record_bytes)
    fail("{}: expected {} bytes ({} records of {}), found {}{}", path.string(), records * record_bytes, records,
         record_bytes, found, but_it_is(path));
  const std::vector<uint8_t> file = read_file(path);
  out.pixels.reserve(out.pixels.size() + records * kPixels);
  for (size_t r = 0; r < records; ++r) {
    const uint8_t* bytes = file.data() + r * record_bytes;
    append_pixels(bytes + record.classes.size(), out.pixels);
    if (!labelled) continue;
    check_labels(path, record, r, bytes);
    out.labels.push_back(bytes[record.label_at]);
  }
}

Images read_split(const fs::path& folder, std::span<const std::string> files, const Record& record, size_t records) {
  Contents all;
  all.pixels.reserve(files.size() * records * kPixels);
  for (const std::string& file : files) append(folder / file, record, records, true, all);
  return std::move(all).images();
}

// The number of records of a file that may have any; none where it is absent.
size_t count_records(const fs::path& path, size_t record_bytes) {
  std::error_code error;
  const uintmax_t bytes = fs::exists(path) ? fs::file_size(path, error) : 0;
  if (error) fail("{}: {}", path.string(), error.message());
  if (bytes % record_bytes != 0)
    fail("{}: expected a multiple of {} bytes (one label, {} pixel bytes), found {}{}", path.string(), record_bytes,
         kPixels, bytes, but_it_is(path));
  return bytes / record_bytes;
}

}  // namespace

void read_cifar10(const fs::path& dir, Dataset& out) {
  const std::vector<std::string> files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                          "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
  constexpr std::array below = {"cifar-10-batches-bin"};
  const fs::path folder = find_folder("cifar10", dir, below, files);
  expect_all(folder, files);
  read_names(folder / "batches.meta.txt", out.class_names);
  const Record record{.classes = {out.classes()}};
  out.edit(Role::train) = read_split(folder, std::span(files).first(5), record, 10'000);
  out.edit(Role::test) = read_split(folder, std::span(files).last(1), record, 10'000);
}

void read_cifar100(const fs::path& dir, CifarLabels labels, Dataset& out) {
  const std::vector<std::string> files = {"train.bin", "test.bin"};
  constexpr std::array below = {"cifar-100-binary"};
  const bool fine = labels == CifarLabels::fine;
  const fs::path folder = find_folder(fine ? "cifar100" : "cifar20", dir, below, files);
  expect_all(folder, files);
  read_names(folder / (fine ? "fine_label_names.txt" : "coarse_label_names.txt"), out.class_names);
  const Record record{.classes = {20, 100}, .label_at = fine ? size_t{1} : size_t{0}};
  out.edit(Role::train) = read_split(folder, std::span(files).first(1), record, 50'000);
  out.edit(Role::test) = read_split(folder, std::span(files).last(1), record, 10'000);
}

void read_cifar_format(const fs::path& dir, Dataset& out) {
  const std::vector<std::string> needed = {"train.bin", "class_names.txt"};
  expect_folder("cifar-format", dir);
  expect_all(dir, needed);
  const fs::path names = dir / "class_names.txt";
  out.class_names = read_lines(names);
  if (out.class_names.empty() || out.class_names.size() > 256)
    fail("{}: expected 1..256 class names, one a line, found {}", names.string(), out.class_names.size());
  const Record record{.classes = {out.classes()}};
  const auto read = [&](const char* file, bool labelled, Contents& to) {
    const size_t records = count_records(dir / file, record.bytes());
    if (records > 0) append(dir / file, record, records, labelled, to);
    return static_cast<int64_t>(records);
  };
  // Unlabelled images follow the train images in memory: the pretext learns from both without a copy.
  Contents learned, scored;
  const int64_t train = read("train.bin", true, learned);
  if (train == 0) fail("{}: holds no image", (dir / "train.bin").string());
  std::vector<int32_t> labels = std::move(learned.labels);
  learned.labels.clear();
  if (fs::exists(dir / "unlabelled.bin"))
    fail("{}: expected the name unlabeled.bin", (dir / "unlabelled.bin").string());
  const int64_t more = read("unlabeled.bin", false, learned);
  if (more == 0 && fs::exists(dir / "unlabeled.bin")) fail("{}: holds no image", (dir / "unlabeled.bin").string());
  const Images all = std::move(learned).images();
  out.edit(Role::train) = all.part(0, train);
  out.edit(Role::train).labels = std::move(labels);
  if (more > 0) out.edit(Role::unlabelled) = all.part(train, more);
  read("test.bin", true, scored);
  out.edit(Role::test) = std::move(scored).images();
  const Statistics measured = statistics(out.train());
  for (int c = 0; c < kChannels; ++c) {
    out.mean[c] = static_cast<float>(measured.mean[c]);
    out.std[c] = measured.std[c] > 0 ? static_cast<float>(measured.std[c]) : 1.f;  // a channel of one value
  }
}

}  // namespace kith::data
