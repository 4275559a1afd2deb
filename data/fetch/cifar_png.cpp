#include "data/fetch/cifar_png.h"

#include <nlohmann/json.hpp>

#include "data/formats/files.h"
#include "data/formats/png.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPlanePixels = 1024, kRecord = 1 + 3 * kPlanePixels;

std::vector<uint8_t> read_labels(const fs::path& path, size_t first, size_t count) {
  const std::vector<uint8_t> text = read_file(path);
  const nlohmann::json list = nlohmann::json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!list.is_array() || list.size() < first + count)
    fail("{}: expected a list of at least {} labels", path.string(), first + count);
  std::vector<uint8_t> labels;
  for (size_t i = first; i < first + count; ++i) {
    if (!list[i].is_number_unsigned() || list[i].get<uint64_t>() > 9)
      fail("{}: label {} is {}, expected 0..9", path.string(), i, list[i].dump());
    labels.push_back(list[i].get<uint8_t>());
  }
  return labels;
}

}  // namespace

std::vector<uint8_t> rebuild_batch(const fs::path& package, const File& file) {
  constexpr std::string_view kTrain = "data_batch_";
  const size_t records = file.bytes / kRecord;
  const bool train = file.name.starts_with(kTrain);
  const size_t batch = train ? static_cast<size_t>(file.name.at(kTrain.size()) - '1') : 0;
  const std::vector<uint8_t> labels =
      read_labels(package / (train ? "train_lables.json" : "test_lables.json"), batch * records, records);
  const fs::path png = (package / file.name).replace_extension(".png");
  const Picture picture = read_png(png);
  if (picture.width != static_cast<int>(kPlanePixels) || picture.height != static_cast<int>(records) ||
      picture.channels != 3)
    fail("{}: expected {} rows of {} RGB pixels, found {} rows of {} pixels, {} channels", png.string(), records,
         kPlanePixels, picture.height, picture.width, picture.channels);
  std::vector<uint8_t> out(records * kRecord);
  for (size_t r = 0; r < records; ++r) {
    uint8_t* record = out.data() + r * kRecord;
    const uint8_t* row = picture.pixels.data() + r * kPlanePixels * 3;
    record[0] = labels[r];
    for (size_t c = 0; c < 3; ++c)
      for (size_t p = 0; p < kPlanePixels; ++p) record[1 + c * kPlanePixels + p] = row[p * 3 + c];
  }
  return out;
}

}  // namespace kith::data
