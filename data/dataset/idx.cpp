// MNIST's IDX files: big-endian header (magic, extents), then one byte per value.
#include <algorithm>
#include <array>
#include <iterator>

#include "data/dataset/readers.h"
#include "data/formats/content.h"
#include "data/formats/files.h"
#include "data/formats/gz.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kImagesMagic = 0x803, kLabelsMagic = 0x801;
constexpr uint32_t kMaxExtent = 4096;  // of an image; beyond it resized() would overflow

uint32_t big_endian(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

// "; it is a web page (HTML)", of what is left when gzip is taken off.
std::string inside(const fs::path& path) {
  GzStream in(path);
  const std::vector<uint8_t> head = in.read(kContentHead);
  return but_it_is(head) + (in.gzip() ? ", within a gzip file" : "");
}

// The extents of the header, `magic & 0xff` of them.
std::vector<uint32_t> read_header(GzStream& in, uint32_t magic) {
  const size_t extents = magic & 0xff;
  const std::vector<uint8_t> bytes = in.read(4 + 4 * extents);
  if (bytes.size() >= 4 && big_endian(bytes.data()) != magic)
    fail("{}: IDX magic number: expected 0x{:08x}, found 0x{:08x}{}", in.name(), magic, big_endian(bytes.data()),
         inside(in.name()));
  if (bytes.size() < 4 + 4 * extents)
    fail("{}: damaged: the IDX header is cut off: expected {} bytes, found {}", in.name(), 4 + 4 * extents,
         bytes.size());
  std::vector<uint32_t> out;
  for (size_t i = 0; i < extents; ++i) out.push_back(big_endian(bytes.data() + 4 + 4 * i));
  return out;
}

std::vector<uint8_t> read_body(GzStream& in, uint64_t expected, uint32_t count) {
  std::vector<uint8_t> bytes = in.read(expected + 1);
  if (bytes.size() > expected)
    fail("{}: damaged: expected {} bytes of data for {} records, found more", in.name(), expected, count);
  if (bytes.size() < expected)
    fail("{}: damaged: expected {} bytes of data for {} records, found {}", in.name(), expected, count, bytes.size());
  return bytes;
}

// The pixels of a plain file are mapped, not read.
Pixels read_pixels(GzStream& in, uint64_t bytes, uint32_t count) {
  constexpr size_t kHeader = 4 + 4 * 3;
  if (in.gzip()) return read_body(in, bytes, count);
  const uint64_t found = fs::file_size(in.name()) - kHeader;
  if (found != bytes)
    fail("{}: damaged: expected {} bytes of data for {} records, found {}", in.name(), bytes, count, found);
  return Pixels::mapped(in.name(), kHeader, bytes);
}

struct Part {
  const char *what, *suffix;  // "train" + "-images" + "-idx3-ubyte"
};
constexpr Part kImages{"-images", "idx3-ubyte"}, kLabels{"-labels", "idx1-ubyte"};

std::vector<std::string> names_of(const std::string& split, const Part& part) {
  std::vector<std::string> names;
  for (const char* dot : {"-", "."})
    for (const char* end : {"", ".gz"}) names.push_back(split + part.what + dot + part.suffix + end);
  return names;
}

// The first of the names that is a file, else a file of such a name within a folder of such a name; empty: none.
fs::path find_file(const fs::path& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (fs::is_regular_file(folder / name)) return folder / name;
  for (const std::string& outer : names)
    for (const std::string& name : names)
      if (fs::is_regular_file(folder / outer / name)) return folder / outer / name;
  return {};
}

Images read_split(const fs::path& folder, const std::string& split, int classes) {
  GzStream image_file(find_file(folder, names_of(split, kImages)));
  GzStream label_file(find_file(folder, names_of(split, kLabels)));
  const std::vector<uint32_t> extents = read_header(image_file, kImagesMagic);
  const std::vector<uint32_t> labels = read_header(label_file, kLabelsMagic);
  const uint32_t count = extents[0], height = extents[1], width = extents[2];
  if (height == 0 || width == 0 || height > kMaxExtent || width > kMaxExtent)
    fail("{}: images of {} x {} pixels: expected 1..{} each", image_file.name(), height, width, kMaxExtent);
  if (labels[0] != count)
    fail("{}: {} labels, but {} holds {} images", label_file.name(), labels[0], image_file.name(), count);
  if (count == 0) fail("{}: holds no image", image_file.name());

  Images out{.count = count, .height = static_cast<int>(height), .width = static_cast<int>(width), .channels = 1};
  out.pixels = read_pixels(image_file, uint64_t{count} * height * width, count);
  const std::vector<uint8_t> bytes = read_body(label_file, count, count);
  for (size_t i = 0; i < bytes.size(); ++i)
    if (bytes[i] >= classes)
      fail("{}: record {}: label {} is out of range 0..{}", label_file.name(), i, bytes[i], classes - 1);
  out.labels.assign(bytes.begin(), bytes.end());
  return out;
}

}  // namespace

void read_idx(std::string_view name, const fs::path& dir, Dataset& out) {
  // The folder itself, a folder named as the set, and the place where torchvision unpacks to.
  const bool fashion = name == "fashion-mnist";
  const std::array<const char*, 2> below = {fashion ? "fashion-mnist" : "mnist",
                                            fashion ? "FashionMNIST/raw" : "MNIST/raw"};
  std::vector<std::string> any, missing;
  for (const char* split : {"train", "t10k"})
    for (const Part& part : {kImages, kLabels}) std::ranges::copy(names_of(split, part), std::back_inserter(any));
  const fs::path folder = find_folder(name, dir, below, any);
  for (const char* split : {"train", "t10k"})
    for (const Part& part : {kImages, kLabels})
      if (find_file(folder, names_of(split, part)).empty()) missing.push_back(names_of(split, part).front());
  if (!missing.empty()) fail("{}: missing {} (plain or .gz)", folder.string(), fmt::join(missing, ", "));
  Images train = read_split(folder, "train", out.classes()), test = read_split(folder, "t10k", out.classes());
  if (train.height != test.height || train.width != test.width)
    fail("{}: train images are {} x {} pixels, test images {} x {}", folder.string(), train.height, train.width,
         test.height, test.width);
  out.edit(Role::train) = std::move(train);
  out.edit(Role::test) = std::move(test);
}

}  // namespace kith::data
