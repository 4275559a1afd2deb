// Picture files as images of one size: RGB squares, the centre of each file's picture.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/pictures/decode.h"

namespace kith::data {

constexpr int kLargestPicture = 1024;                   // of PictureSettings::size
constexpr int64_t kMostFileBytes = int64_t{512} << 20;  // of a picture file

// How the centre of a picture becomes an image: resized as Pillow does (resize.h), as pictures of a data set are, or by the averages
// of areas, as images of the other data sets are (resized() of dataset.h). What a network has learned from the one it sees otherwise
// in the other.
enum class Resizing : uint8_t { filtered, by_area };

// What becomes an image of a picture: itself, or its negative, as a file of its inverted pixels would have given it. The two differ
// by more than a sign: halves are rounded up.
enum class Tone : uint8_t { as_is, negative };

struct Rendering {
  Resizing resizing = Resizing::filtered;
  Tone tone = Tone::as_is;
};

// Images of the files in their order (data/pictures/decode.h says how each is decoded, resize.h how it is resized), with
// Images::files and without labels; decoded side by side by OpenMP's threads. `bad`, where given, receives the files that were
// left out.
// Error, one line: a size that is not 1..kLargestPicture; a file that cannot be read or decoded, with the reason, unless
// skip_bad; no file left.
Images load_pictures(std::span<const std::string> files, const PictureSettings&, std::vector<BadPicture>* bad = nullptr,
                     Rendering = {});

// Of three channels one, as Pillow's convert("L") has it: (19595 R + 38470 G + 7471 B + 32768) / 65536, whole, which is 0.299 R +
// 0.587 G + 0.114 B and leaves a gray pixel as it is.
Images in_gray(const Images&);

// load_pictures for those who keep the pixels themselves. `store` is called with the index of a file and its pixels, from several
// threads at a time and in any order; `progress` with the number of files done, by one thread at a time, not for each of them,
// and may throw to end the work.
// Returns the bad files by index; without skip_bad decoding ends at one of them, and the first is the Error.
struct PictureSink {
  std::function<void(int64_t index, std::span<const uint8_t> pixels)> store;
  std::function<void(int64_t done)> progress = {};
};
std::vector<BadPicture> decode_pictures(std::span<const std::string> files, const PictureSettings&, const PictureSink&,
                                        Rendering = {});

// Pixels [size, size, 3] of one file. Error: its reason, without its name.
void load_picture(const std::string& file, const PictureSettings&, std::span<uint8_t> pixels, Rendering = {});

[[noreturn]] void fail_for(const BadPicture&);  // the Error of a bad file that is not to be left out

}  // namespace kith::data
