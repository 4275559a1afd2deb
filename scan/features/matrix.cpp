#include "scan/features/matrix.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "data/dataset/digest.h"
#include "data/formats/npy.h"
#include "kernels/core/bf16.h"
#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "nn/state/safetensors.h"
#include "scan/features/each_piece.h"

namespace kith {
namespace {

using Number = FeatureMatrix::Number;

struct NumberInfo {
  std::string_view name, safetensors;
  int64_t bytes;
};
constexpr std::array<NumberInfo, 13> kNumbers = {{{"f16", "F16", 2},
                                                  {"bf16", "BF16", 2},
                                                  {"f32", "F32", 4},
                                                  {"f64", "F64", 8},
                                                  {"i8", "I8", 1},
                                                  {"i16", "I16", 2},
                                                  {"i32", "I32", 4},
                                                  {"i64", "I64", 8},
                                                  {"u8", "U8", 1},
                                                  {"u16", "U16", 2},
                                                  {"u32", "U32", 4},
                                                  {"u64", "U64", 8},
                                                  {"bool", "BOOL", 1}}};
constexpr int64_t kRowsAtOnce = 64;  // of one piece of work on a thread

const NumberInfo& info_of(Number n) { return kNumbers[static_cast<size_t>(n)]; }

// IEEE 754 binary16, exactly.
float half_to_float(uint16_t bits) {
  const uint32_t sign = uint32_t{bits} >> 15 << 31, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  const float size = exponent == 0 ? static_cast<float>(fraction) * 0x1p-24f
                                   : std::bit_cast<float>((exponent + 112) << 23 | fraction << 13);
  return sign != 0 ? -size : size;
}

struct Half {
  uint16_t bits;
};
struct Bool {
  uint8_t byte;
};

template <class To, class From>
To number_as(From value) {
  if constexpr (std::is_same_v<From, Half>)
    return half_to_float(value.bits);
  else if constexpr (std::is_same_v<From, bf16>)
    return widen(value);
  else if constexpr (std::is_same_v<From, Bool>)
    return value.byte != 0 ? To{1} : To{0};
  else
    return static_cast<To>(value);
}

// `count` elements, `from_step` bytes apart, to places `to_step` numbers apart. The source need not be aligned.
template <class To, class From>
void convert_run(const uint8_t* from, int64_t count, int64_t from_step, bool big_endian, To* to, int64_t to_step) {
  for (int64_t i = 0; i < count; ++i, from += from_step, to += to_step) {
    std::array<uint8_t, sizeof(From)> bytes;
    std::memcpy(bytes.data(), from, sizeof(From));
    if (big_endian) std::ranges::reverse(bytes);
    *to = number_as<To>(std::bit_cast<From>(bytes));
  }
}

template <class To>
using Convert = void (*)(const uint8_t*, int64_t, int64_t, bool, To*, int64_t);
template <class To, class... From>
Convert<To> converter_among(Number n) {
  constexpr std::array<Convert<To>, sizeof...(From)> all = {convert_run<To, From>...};
  return all[static_cast<size_t>(n)];
}
template <class To>
Convert<To> converter_of(Number n) {
  return converter_among<To, Half, bf16, float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t,
                         uint64_t, Bool>(n);
}

Number number_in(const data::NpyLayout& l) {
  if (l.kind == 'b') return Number::boolean;
  if (l.kind == 'f') return l.bytes == 2 ? Number::f16 : l.bytes == 4 ? Number::f32 : Number::f64;
  const int power = std::countr_zero(static_cast<unsigned>(l.bytes));
  return static_cast<Number>(static_cast<int>(l.kind == 'i' ? Number::i8 : Number::u8) + power);
}

struct Place {
  std::string name;
  TensorPlace place;
};

Place find_tensor(const std::string& file, const std::string& wanted) {
  std::vector<Place> matrices;
  std::vector<std::string> names;
  for (auto& [name, place] : safetensors_places(file)) {
    names.push_back(name);
    if (wanted.empty() ? place.shape.size() == 2 : name == wanted) matrices.push_back({name, place});
  }
  if (matrices.size() == 1) return matrices[0];
  if (!wanted.empty()) throw Error(fmt::format("{}: no tensor {}; it holds {}", file, wanted, fmt::join(names, ", ")));
  names.clear();
  for (const Place& m : matrices) names.push_back(m.name);
  throw Error(fmt::format("{}: {} tensors of two extents, expected one; name it as {}:NAME{}{}", file, matrices.size(),
                          file, names.empty() ? "" : ": ", fmt::join(names, ", ")));
}

// "a.safetensors:b" -> "a.safetensors", "b".
std::optional<std::pair<std::string, std::string>> safetensors_name(const std::string& text) {
  constexpr std::string_view kEnd = ".safetensors";
  if (text.ends_with(kEnd)) return std::pair(text, std::string());
  const size_t at = text.rfind(std::string(kEnd) + ":");
  if (at == std::string::npos) return std::nullopt;
  return std::pair(text.substr(0, at + kEnd.size()), text.substr(at + kEnd.size() + 1));
}

}  // namespace

FeatureMatrix FeatureMatrix::open(const std::string& file) {
  FeatureMatrix m;
  m.name_ = file;
  std::vector<int64_t> shape;
  std::string path = file;
  uint64_t first = 0;
  if (const auto named = safetensors_name(file)) {
    path = named->first;
    const Place found = find_tensor(path, named->second);
    const auto at = std::ranges::find(kNumbers, std::string_view(found.place.dtype), &NumberInfo::safetensors);
    if (at == kNumbers.end())
      throw Error(fmt::format("{}: tensor {} is of {}, expected F16, BF16, F32, F64, integers or BOOL", path,
                              found.name, found.place.dtype));
    m.number_ = static_cast<Number>(at - kNumbers.begin());
    shape = found.place.shape;
    first = found.place.first;
  } else {
    const data::NpyLayout layout = data::npy_layout(file);
    m.number_ = number_in(layout);
    m.big_endian_ = layout.big_endian;
    m.fortran_ = layout.fortran;
    shape = layout.shape;
    first = layout.first;
  }
  if (shape.size() != 2)
    throw Error(fmt::format("{}: shape [{}]; expected [rows, dimensions]", file, fmt::join(shape, ", ")));
  m.rows_ = shape[0], m.cols_ = shape[1];
  if (m.rows_ < 1 || m.cols_ < 1)
    throw Error(fmt::format("{}: {} rows of {} dimensions; expected at least 1 of each", file, m.rows_, m.cols_));
  m.bytes_ = data::Pixels::mapped(path, first, static_cast<size_t>(m.rows_ * m.cols_ * info_of(m.number_).bytes));
  return m;
}

FeatureMatrix FeatureMatrix::of(const Matrix<const float>& rows, std::string name) {
  check(rows.rows >= 1 && rows.cols >= 1, "features: at least one row and one dimension expected");
  FeatureMatrix m;
  m.name_ = std::move(name);
  const auto* from = reinterpret_cast<const uint8_t*>(rows.data);
  m.bytes_ = std::vector<uint8_t>(from, from + rows.span().size_bytes());
  m.rows_ = rows.rows, m.cols_ = rows.cols;
  return m;
}

double FeatureMatrix::roundoff() const {
  return number_ == Number::f16 ? 0x1p-11 : number_ == Number::bf16 ? 0x1p-8 : 0x1p-24;
}

std::string_view FeatureMatrix::number_name() const { return info_of(number_).name; }

double FeatureMatrix::length() const {
  if (length_) return *length_;
  double squares = 0;
  each_piece<float>(*this, [&](int64_t, std::span<const float> values) {
    for (const float v : values) squares += double{v} * v;
  });
  length_ = std::sqrt(squares / static_cast<double>(rows_));
  return *length_;
}

std::string FeatureMatrix::digest() const {
  return fmt::format("{} x {} {}{}{}, {}", rows_, cols_, info_of(number_).name, big_endian_ ? " big-endian" : "",
                     fortran_ ? " by columns" : "", data::digest(bytes_));
}

template <class To>
void FeatureMatrix::rows_into(int64_t first, int64_t count, To* out) const {
  const int64_t item = info_of(number_).bytes;
  const Convert<To> convert = converter_of<To>(number_);
  if (!fortran_) return convert(bytes_.data() + first * cols_ * item, count * cols_, item, big_endian_, out, 1);
  for (int64_t c = 0; c < cols_; ++c)
    convert(bytes_.data() + (c * rows_ + first) * item, count, item, big_endian_, out + c, cols_);
}

template <class To>
void FeatureMatrix::read_as(int64_t first, int64_t count, To* out) const {
  check(first >= 0 && count >= 0 && first + count <= rows_, "features: rows out of range");
  parallel_for(count, kRowsAtOnce,
               [&](int64_t begin, int64_t end) { rows_into(first + begin, end - begin, out + begin * cols_); });
}

void FeatureMatrix::read(int64_t first, int64_t count, float* out) const { read_as(first, count, out); }
void FeatureMatrix::read(int64_t first, int64_t count, double* out) const { read_as(first, count, out); }

void FeatureMatrix::gather(std::span<const int64_t> index, float* out) const {
  parallel_for(static_cast<int64_t>(index.size()), kRowsAtOnce, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      check(index[i] >= 0 && index[i] < rows_, "features: rows out of range");
      rows_into(index[i], 1, out + i * cols_);
    }
  });
}

void FeatureMatrix::expect_usable(bool directions, bool distances) const {
  constexpr int64_t kPiece = 4096;
  const int64_t piece = std::clamp<int64_t>((int64_t{1} << 22) / cols_, 1, kPiece);
  std::vector<float> rows(static_cast<size_t>(std::min(piece, rows_) * cols_));
  std::vector<uint8_t> wrong(static_cast<size_t>(std::min(piece, rows_)));  // 1: not finite, 2: zero, 3: too long
  for (int64_t first = 0; first < rows_; first += piece) {
    const int64_t count = std::min(piece, rows_ - first);
    read(first, count, rows.data());
    parallel_for(count, kRowsAtOnce, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const std::span<const float> row{rows.data() + i * cols_, static_cast<size_t>(cols_)};
        const bool finite = std::ranges::all_of(row, [](float v) { return std::isfinite(v); });
        const bool zero = std::ranges::all_of(row, [](float v) { return v == 0; });
        double square = 0;
        for (const float v : row) square += double{v} * v;
        wrong[i] = static_cast<uint8_t>(!finite                             ? 1
                                        : directions && zero                ? 2
                                        : distances && square > kMostSquare ? 3
                                                                            : 0);
      }
    });
    const auto bad = std::find_if(wrong.begin(), wrong.begin() + count, [](uint8_t w) { return w != 0; });
    if (bad == wrong.begin() + count) continue;
    const int64_t row = bad - wrong.begin();
    if (*bad == 2)
      throw Error(fmt::format(
          "{}: row {} has no direction: it is zero, or too small for f32; leave it out, or scale the rows up", name_,
          first + row));
    if (*bad == 3)
      throw Error(
          fmt::format("{}: row {} is longer than {:.2g}, and the squares of distances would overflow f32; scale the "
                      "features down, or bring rows to unit length",
                      name_, first + row, std::sqrt(kMostSquare)));
    const auto* begin = rows.data() + row * cols_;
    const auto* at = std::find_if(begin, begin + cols_, [](float v) { return !std::isfinite(v); });
    std::vector<double> stored(static_cast<size_t>(cols_));
    read(first + row, 1, stored.data());
    if (const double value = stored[at - begin]; std::isfinite(value))
      throw Error(fmt::format("{}: value [{}, {}] is {:.3g}, beyond f32, which features are held in; scale them down",
                              name_, first + row, at - begin, value));
    throw Error(
        fmt::format("{}: value [{}, {}] is {} in f32; expected finite features", name_, first + row, at - begin, *at));
  }
}

}  // namespace kith
