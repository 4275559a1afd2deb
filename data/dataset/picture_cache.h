// Decoded pictures in one file, which is mapped: decoded once, shared by the processes that look at them, and larger than the
// memory where need be. Inside data/ only.
//
// The file: images one after another, then what Contents has as JSON, with the digest of the images' bytes and one of the JSON
// itself, then 8 bytes "KITHPIC3" and the length of the JSON, little endian.
// Cost: opening reads every byte once for the digest, 0.3 s of a processor's time for a GB; statistics of the images take four
// times that.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/dataset/pixels.h"

namespace kith::data {

struct CacheContents {
  std::string state;            // digest of the files and the settings that it was made from
  std::vector<int64_t> order;   // the file that each image is of, by its index in the list
  int64_t train = 0;            // the first images, which are the train split
  std::vector<BadPicture> bad;  // index and reason
};

struct CachedPictures {
  CacheContents contents;
  Pixels pixels;
};

// Nothing where there is no such file, or one of another state, or a damaged one.
std::optional<CachedPictures> open_picture_cache(const std::filesystem::path&, const std::string& state,
                                                 int64_t image_bytes);

// A cache file under way: PATH with the process's number and .partial, gone unless it is finished. Disk space is taken at once.
class PictureCacheWriter {
 public:
  // Error: the folder cannot be made, or has no room.
  PictureCacheWriter(std::filesystem::path path, int64_t images, int64_t image_bytes);
  ~PictureCacheWriter();
  PictureCacheWriter(const PictureCacheWriter&) = delete;
  PictureCacheWriter& operator=(const PictureCacheWriter&) = delete;

  void write(int64_t image, std::span<const uint8_t> pixels);  // from any thread
  // Moves the images that are kept to the front; `kept` is ascending.
  void keep(std::span<const int64_t> kept);
  // On the disk under its name, and mapped.
  CachedPictures finish(CacheContents);

 private:
  std::filesystem::path path_, partial_;
  int64_t images_, image_bytes_;
  int file_ = -1;
};

}  // namespace kith::data
