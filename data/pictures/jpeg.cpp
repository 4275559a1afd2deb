// JPEG by libjpeg-turbo. libjpeg leaves a function that failed by longjmp: the frames it leaves hold nothing that has a destructor.
#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <string>
// jpeglib.h wants <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>
#ifndef LIBJPEG_TURBO_VERSION
#error "kith decodes JPEG files with libjpeg-turbo, and this is another libjpeg"
#endif

#include "data/pictures/exif.h"
#include "data/pictures/formats.h"

namespace kith::data {
namespace {

constexpr int kMostScans =
    500;  // of a progressive file; each costs a pass over all coefficients, and may be a few bytes long

struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf leave;
  char text[JMSG_LENGTH_MAX];
};

ErrorManager& errors_of(j_common_ptr info) { return *reinterpret_cast<ErrorManager*>(info->err); }

[[noreturn]] void leave(j_common_ptr info) {
  info->err->format_message(info, errors_of(info).text);
  std::longjmp(errors_of(info).leave, 1);
}

// libjpeg warns, and fills what is missing with gray; a file that is cut off or damaged is an error here. What it reads all the
// same is not: bytes between segments, odd version numbers, scans in an order that loses precision.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
      return;
    default:
      leave(info);
  }
}

void no_output(j_common_ptr) {}

void count_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
  std::snprintf(errors_of(info).text, JMSG_LENGTH_MAX, "more than %d scans", kMostScans);
  std::longjmp(errors_of(info).leave, 1);
}

class Decompressor {
 public:
  explicit Decompressor(Bytes file) {
    info_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = leave;
    errors_.base.emit_message = on_message;
    errors_.base.output_message = no_output;
    attempt([this, file] {
      jpeg_create_decompress(&info_);
      info_.progress = &progress_;
      jpeg_mem_src(&info_, file.data(), static_cast<unsigned long>(file.size()));
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xffff);
      jpeg_read_header(&info_, TRUE);
    });
  }
  ~Decompressor() { jpeg_destroy_decompress(&info_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  jpeg_decompress_struct& info() { return info_; }
  bool progressive() { return jpeg_has_multiple_scans(&info_); }

  // Decodes into rows of `stride` bytes.
  void read(uint8_t* pixels, size_t stride) {
    attempt([this, pixels, stride] {
      jpeg_start_decompress(&info_);
      while (info_.output_scanline < info_.output_height) {
        JSAMPROW row = pixels + info_.output_scanline * stride;
        jpeg_read_scanlines(&info_, &row, 1);
      }
      jpeg_finish_decompress(&info_);  // to the end marker
    });
  }
  void compute_extent() {
    attempt([this] { jpeg_calc_output_dimensions(&info_); });
  }

 private:
  // Runs calls of libjpeg; where it leaves them, the message becomes an exception.
  template <class Calls>
  void attempt(const Calls& calls) {
    if (setjmp(errors_.leave) == 0) return calls();
    const std::string text = errors_.text;
    jpeg_destroy_decompress(&info_);  // a constructor that throws has no destructor; a second call does nothing
    fail("cannot be decoded: {}", text);
  }

  jpeg_decompress_struct info_{};
  ErrorManager errors_{};
  jpeg_progress_mgr progress_{
      .progress_monitor = count_scans, .pass_counter = 0, .pass_limit = 0, .completed_passes = 0, .total_passes = 0};
};

int orientation_of(const jpeg_decompress_struct& info) {
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const Bytes block(marker->data, marker->data_length);
    if (block.size() > 6 && std::equal(block.begin(), block.begin() + 6, "Exif\0")) return exif_orientation(block);
  }
  return 1;
}

bool halved_in_one_direction(const jpeg_decompress_struct& info) {
  return info.max_h_samp_factor != info.max_v_samp_factor;
}

// N of a scale of N / 8.
unsigned scale_of(const jpeg_decompress_struct& info, int least) {
  const int64_t shorter = std::min(info.image_width, info.image_height);
  unsigned scale = 8;
  const unsigned smallest = halved_in_one_direction(info) ? 2 : 1;
  while (least > 0 && scale > smallest && shorter * (scale / 2) >= int64_t{8} * least) scale /= 2;
  return scale;
}

// Inverted CMYK to RGB: the product of what each ink and black let through, rounded.
void from_cmyk(const uint8_t* cmyk, uint8_t* rgb, size_t pixels) {
  for (size_t p = 0; p < pixels; ++p)
    for (size_t c = 0; c < 3; ++c)
      rgb[3 * p + c] = static_cast<uint8_t>((unsigned{cmyk[4 * p + c]} * cmyk[4 * p + 3] + 127) / 255);
}

}  // namespace

Stored decode_jpeg(Bytes file, const DecodeOptions& options, Turn& turn) {
  Decompressor jpeg(file);
  jpeg_decompress_struct& info = jpeg.info();
  admit(info.image_width, info.image_height, 0, turn);
  const bool cmyk = info.num_components == 4;
  info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  info.dct_method = JDCT_ISLOW;
  info.scale_num = scale_of(info, options.least);
  info.scale_denom = 8;
  jpeg.compute_extent();
  const size_t width = info.output_width, height = info.output_height;
  // Coefficients of all components where the file holds them in several scans; the pixels, and once more when they are turned.
  const int64_t coefficients = jpeg.progressive() ? 2 * info.num_components : 0;
  const int64_t scaled = 10 * info.scale_num * info.scale_num / 64 + 1;
  admit(info.image_width, info.image_height, coefficients + scaled, turn);

  const int orientation = orientation_of(info);  // markers are freed with the last row
  std::vector<uint8_t> pixels(width * height * 3);
  if (cmyk) {
    std::vector<uint8_t> inks(width * height * 4);
    jpeg.read(inks.data(), width * 4);
    from_cmyk(inks.data(), pixels.data(), width * height);
  } else {
    jpeg.read(pixels.data(), width * 3);
  }
  Stored out{.raster = whole(static_cast<int>(height), static_cast<int>(width), std::move(pixels)),
             .orientation = orientation};
  out.raster.box_height = info.image_height * (info.scale_num / 8.0);
  out.raster.box_width = info.image_width * (info.scale_num / 8.0);
  return out;
}

}  // namespace kith::data
