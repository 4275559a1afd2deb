#include "data/dataset/pictures.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <utility>

#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "data/formats/text.h"
#include "data/pictures/resize.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNoSuchFile = "no such file";

bool ends_as_tga(const std::string& file) {
  std::string ending = fs::path(file).extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".tga" || ending == ".icb" || ending == ".vda" || ending == ".vst";
}

std::vector<uint8_t> read_picture_file(const std::string& file, Turn& turn) {
  std::error_code error;
  const uintmax_t bytes = fs::file_size(file, error);
  if (std::error_code none; error && fs::symlink_status(file, none).type() == fs::file_type::not_found)
    fail("{}", kNoSuchFile);
  if (!error && bytes > static_cast<uintmax_t>(kMostFileBytes))
    fail("has {} MiB, above the limit of {} for a picture file", bytes >> 20, kMostFileBytes >> 20);
  if (!error) turn.need(static_cast<int64_t>(bytes));
  return read_file(file);
}

// The message without the name that it may begin with.
std::string reason_of(const std::string& file, std::string_view message) {
  if (message.starts_with(file + ": ")) message.remove_prefix(file.size() + 2);
  return std::string(message);
}

// Of the square's whole pixels.
void average_square(const Raster& in, int size, std::span<uint8_t> out) {
  constexpr int kMost = 4096;  // of resized(); a larger side is brought to it first
  const int side = std::min({in.height, in.width, kMost});
  const auto row = static_cast<int64_t>(side) * 3;
  std::vector<uint8_t> square(static_cast<size_t>(side * row));
  if (side == kMost) {
    resize_square(in, side, square);
  } else {
    const int64_t top = (in.height - side) / 2, left = (in.width - side) / 2;
    for (int64_t y = 0; y < side; ++y)
      std::copy_n(in.pixels.begin() + ((top + y) * in.width + left) * 3, row, square.begin() + y * row);
  }
  const Images small =
      resized({.count = 1, .height = side, .width = side, .channels = 3, .pixels = std::move(square)}, size);
  std::ranges::copy(small.pixels, out.begin());
}

// Work that several threads do, and the faults they meet.
class Decoding {
 public:
  Decoding(std::span<const std::string> files, const PictureSettings& settings, const PictureSink& sink,
           Rendering rendering)
      : files_(files), settings_(settings), sink_(sink), rendering_(rendering) {}

  std::vector<BadPicture> run() {
    const auto count = static_cast<int64_t>(files_.size());
#pragma omp parallel
    {
      std::vector<uint8_t> pixels(static_cast<size_t>(settings_.size) * static_cast<size_t>(settings_.size) * 3);
#pragma omp for schedule(dynamic)
      for (int64_t i = 0; i < count; ++i) {
        if (i > last_.load(std::memory_order_relaxed)) continue;
        one(i, pixels);
        const int64_t done = 1 + done_.fetch_add(1, std::memory_order_relaxed);
        if (const std::unique_lock lock(telling_, std::try_to_lock); lock && sink_.progress)
          guarded([&] { sink_.progress(done); });
      }
    }
    if (thrown_) std::rethrow_exception(thrown_);
    std::ranges::sort(bad_, {}, &BadPicture::index);
    if (!settings_.skip_bad && !bad_.empty()) fail_for(bad_.front());
    return std::move(bad_);
  }

 private:
  void one(int64_t i, std::vector<uint8_t>& pixels) {
    const std::string& file = files_[static_cast<size_t>(i)];
    std::string reason;
    try {
      load_picture(file, settings_, pixels, rendering_);
    } catch (const std::bad_alloc&) {
      reason = "there is not enough memory to decode it";
    } catch (const std::exception& e) {
      reason = e.what();
    }
    if (reason.empty()) return guarded([&] { sink_.store(i, pixels); });
    const std::scoped_lock lock(mutex_);
    bad_.push_back({i, file, reason});
    if (!settings_.skip_bad) last_ = std::min(last_.load(), i);  // those before it are still looked at
  }

  // What the caller's functions throw ends the work, beyond the loop that no exception may leave.
  template <class Call>
  void guarded(const Call& call) {
    try {
      call();
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!thrown_) thrown_ = std::current_exception();
      last_ = -1;
    }
  }

  std::span<const std::string> files_;
  const PictureSettings& settings_;
  const PictureSink& sink_;
  Rendering rendering_;
  std::mutex mutex_, telling_;
  std::vector<BadPicture> bad_;
  std::exception_ptr thrown_;
  std::atomic<int64_t> done_ = 0, last_ = std::numeric_limits<int64_t>::max();
};

void expect_picture_size(int size) {
  if (size < 1 || size > kLargestPicture)
    fail("pictures of {} x {} pixels: expected a size of 1..{}, --set data.size=N", size, size, kLargestPicture);
}

}  // namespace

void fail_for(const BadPicture& bad) {
  if (bad.reason == kNoSuchFile) fail("{}: {}", printable(bad.file), bad.reason);
  fail("{}: {}; --skip-bad, for a run --set data.skip_bad=true, goes on without such files", printable(bad.file),
       bad.reason);
}

void load_picture(const std::string& file, const PictureSettings& settings, std::span<uint8_t> pixels,
                  Rendering rendering) {
  try {
    if (!is_utf8(file)) fail("the name is not UTF-8; rename the file or its folder");
    Turn turn;
    const std::vector<uint8_t> bytes = read_picture_file(file, turn);
    // About twice the size is left for the antialiasing filter, whose result is then near that of the full extent: off by 0.7
    // levels in the mean where 500 x 375 pixels become 96, which are halved before.
    const DecodeOptions options{.least = rendering.resizing == Resizing::filtered ? settings.size * 15 / 8 : 0,
                                .background = settings.background,
                                .tga = ends_as_tga(file)};
    Raster raster = decode(bytes, options, turn);
    if (rendering.tone == Tone::negative)
      for (uint8_t& v : raster.pixels) v = static_cast<uint8_t>(255 - v);
    if (rendering.resizing == Resizing::filtered)
      resize_square(raster, settings.size, pixels);
    else
      average_square(raster, settings.size, pixels);
  } catch (const std::runtime_error& e) {
    fail("{}", reason_of(file, e.what()));
  }
}

std::vector<BadPicture> decode_pictures(std::span<const std::string> files, const PictureSettings& settings,
                                        const PictureSink& sink, Rendering rendering) {
  expect_picture_size(settings.size);
  return Decoding(files, settings, sink, rendering).run();
}

Images load_pictures(std::span<const std::string> files, const PictureSettings& settings, std::vector<BadPicture>* bad,
                     Rendering rendering) {
  expect_picture_size(settings.size);
  Images out{.height = settings.size, .width = settings.size, .channels = 3};
  const auto each = static_cast<size_t>(out.image_bytes());
  std::vector<uint8_t> pixels(files.size() * each);
  std::vector<BadPicture> failed =
      decode_pictures(files, settings,
                      {.store =
                           [&](int64_t i, std::span<const uint8_t> image) {
                             std::ranges::copy(image, pixels.begin() + i * static_cast<int64_t>(each));
                           }},
                      rendering);
  auto next = failed.begin();
  for (size_t i = 0; i < files.size(); ++i) {
    if (next != failed.end() && next->index == static_cast<int64_t>(i)) {
      ++next;
      continue;
    }
    const auto from = pixels.begin() + static_cast<int64_t>(i * each);
    std::copy_n(from, each, pixels.begin() + out.count * static_cast<int64_t>(each));
    out.files.push_back(files[i]);
    ++out.count;
  }
  if (out.count == 0)
    fail("none of {} picture files can be decoded{}", files.size(),
         failed.empty() ? "" : fmt::format("; {}: {}", printable(failed.front().file), failed.front().reason));
  pixels.resize(static_cast<size_t>(out.count) * each);
  out.pixels = std::move(pixels);
  if (bad != nullptr) *bad = std::move(failed);
  return out;
}

Images in_gray(const Images& images) {
  if (images.channels != 3)
    fail("images of {}; expected 3, of which gray is made", counted(images.channels, "channel"));
  const auto pixels = images.pixels.size() / 3;
  std::vector<uint8_t> gray(pixels);
  for (size_t p = 0; p < pixels; ++p) {
    const uint8_t* rgb = images.pixels.data() + 3 * p;
    gray[p] = static_cast<uint8_t>((19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2] + 32768U) >> 16);
  }
  Images out = images;
  out.channels = 1;
  out.pixels = std::move(gray);
  return out;
}

}  // namespace kith::data
