#include "data/formats/npy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <istream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "data/formats/files.h"
#include "data/formats/npy_header.h"

namespace kith::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the bytes of .npy values are copied as they are");

template <class T>
constexpr std::string_view dtype_of() {
  if constexpr (std::is_same_v<T, float>) return "<f4";
  if constexpr (std::is_same_v<T, double>) return "<f8";
  if constexpr (std::is_same_v<T, int32_t>) return "<i4";
  if constexpr (std::is_same_v<T, int64_t>) return "<i8";
  if constexpr (std::is_same_v<T, uint8_t>) return "|u1";
}

// As NumPy names it.
template <class T>
constexpr std::string_view name_of() {
  if constexpr (std::is_same_v<T, float>) return "float32";
  if constexpr (std::is_same_v<T, double>) return "float64";
  if constexpr (std::is_same_v<T, int32_t>) return "int32";
  if constexpr (std::is_same_v<T, int64_t>) return "int64";
  if constexpr (std::is_same_v<T, uint8_t>) return "uint8";
}

// From -> To without a change of value; nothing where that is impossible.
template <class To, class From>
std::optional<To> convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<To, float> && std::is_same_v<From, double>) {
    const float rounded = static_cast<float>(value);
    if (std::isfinite(value) && !std::isfinite(rounded)) return std::nullopt;
    return rounded;
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // 2^digits is exact in both floating types while max() may not be; a NaN fails both comparisons.
    const From limit = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    const From lowest = std::is_signed_v<To> ? -limit : From{0};
    if (!(value >= lowest && value < limit) || value != std::trunc(value)) return std::nullopt;
    return static_cast<To>(value);
  } else if constexpr (std::is_integral_v<From> && std::is_floating_point_v<To>) {
    const To converted = static_cast<To>(value);
    const std::optional<From> back = convert<From>(converted);
    if (!back || *back != value) return std::nullopt;
    return converted;
  } else if constexpr (std::is_integral_v<From>) {
    if (!std::in_range<To>(value)) return std::nullopt;
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);  // float -> double
  }
}

// Half precision, IEEE 754 binary16.
struct Half {
  uint16_t bits;
};
struct Bool {
  uint8_t byte;
};

// The value in the widest type of its kind, which holds every one exactly.
template <class From>
auto widen(From value) {
  if constexpr (std::is_same_v<From, Half>) {
    const int exponent = value.bits >> 10 & 31, fraction = value.bits & 1023;
    const double size = exponent == 31  ? (fraction == 0 ? std::numeric_limits<double>::infinity()
                                                         : std::numeric_limits<double>::quiet_NaN())
                        : exponent == 0 ? std::ldexp(fraction, -24)
                                        : std::ldexp(1024 + fraction, exponent - 25);
    return value.bits >> 15 ? -size : size;
  } else if constexpr (std::is_same_v<From, Bool>) {
    return static_cast<uint64_t>(value.byte != 0);
  } else if constexpr (std::is_floating_point_v<From>) {
    return static_cast<double>(value);
  } else {
    return static_cast<std::conditional_t<std::is_signed_v<From>, int64_t, uint64_t>>(value);
  }
}

// Positions in the file of the elements in C order.
class Places {
 public:
  Places(const std::vector<int64_t>& shape, bool fortran) : shape_(shape), stride_(shape.size()), index_(shape.size()) {
    int64_t stride = 1;
    for (size_t d = shape.size(); d-- > 0; stride *= shape[d]) stride_[d] = stride;
    fortran_ = fortran && std::ranges::count_if(shape, [](int64_t extent) { return extent > 1; }) > 1;
  }
  bool in_order() const { return !fortran_; }
  int64_t next() {
    const int64_t here = at_;
    if (!fortran_) return ++at_, here;
    for (size_t d = 0; d < shape_.size(); ++d) {  // the first extent runs fastest
      at_ += stride_[d];
      if (++index_[d] < shape_[d]) break;
      at_ -= shape_[d] * stride_[d];
      index_[d] = 0;
    }
    return here;
  }
  // "3, 2"
  std::string text(int64_t at) const {
    std::vector<int64_t> index;
    for (size_t d = 0; d < shape_.size(); ++d) index.push_back(at / stride_[d] % shape_[d]);
    return fmt::format("{}", fmt::join(index, ", "));
  }

 private:
  const std::vector<int64_t>& shape_;
  std::vector<int64_t> stride_, index_;
  bool fortran_;
  int64_t at_ = 0;
};

struct Source {
  std::istream& in;
  const NpyHeader& header;
  bool big_endian;
  int64_t count;
  const std::string& name;

  void read(void* to, int64_t bytes) const {
    if (!in.read(static_cast<char*>(to), bytes)) fail("{}: damaged: cannot read {} bytes of data", name, bytes);
  }
};

// In pieces, so that the file is never in memory beside the values.
template <class To, class From>
std::vector<To> read_values(const Source& s) {
  std::vector<To> values(static_cast<size_t>(s.count));
  Places places(s.header.shape, s.header.fortran);
  if constexpr (std::is_same_v<To, From>)
    if (places.in_order() && !s.big_endian) return s.read(values.data(), s.count * int64_t{sizeof(From)}), values;
  constexpr int64_t kPiece = 1 << 16;
  std::vector<uint8_t> piece(static_cast<size_t>(std::min(kPiece, s.count)) * sizeof(From));
  for (int64_t done = 0; done < s.count; done += kPiece) {
    const int64_t n = std::min(kPiece, s.count - done);
    s.read(piece.data(), n * int64_t{sizeof(From)});
    for (int64_t i = 0; i < n; ++i) {
      uint8_t* bytes = piece.data() + i * int64_t{sizeof(From)};
      if (s.big_endian) std::reverse(bytes, bytes + sizeof(From));
      From stored;
      std::memcpy(&stored, bytes, sizeof(From));
      const int64_t at = places.next();
      const auto value = widen(stored);
      const std::optional<To> converted = convert<To>(value);
      if (!converted)
        fail("{}: element [{}] is {}, which {} cannot hold", s.name, places.text(at), value, name_of<To>());
      values[static_cast<size_t>(at)] = *converted;
    }
  }
  return values;
}

template <class To>
std::vector<To> read_as(const NpyType& type, const Source& s) {
  const bool is_signed = type.kind == 'i';
  switch (type.kind == 'f' ? -type.bytes : type.kind == 'b' ? 0 : type.bytes) {
    case 0:
      return read_values<To, Bool>(s);
    case 1:
      return is_signed ? read_values<To, int8_t>(s) : read_values<To, uint8_t>(s);
    case 2:
      return is_signed ? read_values<To, int16_t>(s) : read_values<To, uint16_t>(s);
    case 4:
      return is_signed ? read_values<To, int32_t>(s) : read_values<To, uint32_t>(s);
    case 8:
      return is_signed ? read_values<To, int64_t>(s) : read_values<To, uint64_t>(s);
    case -2:
      return read_values<To, Half>(s);
    case -4:
      return read_values<To, float>(s);
    default:
      return read_values<To, double>(s);
  }
}

// The number of elements of a file that holds all of them and nothing else.
int64_t expect_whole(const NpyHeader& header, const NpyType& type, uint64_t file_bytes, const std::string& name) {
  const std::optional<int64_t> count = element_count(header.shape);
  const uint64_t found = file_bytes - header.bytes, item = static_cast<uint64_t>(type.bytes);
  if (!count) fail("{}: damaged .npy header: shape ({}) is out of range", name, fmt::join(header.shape, ", "));
  if (found % item != 0 || found / item != static_cast<uint64_t>(*count))
    fail("{}: damaged: the .npy file {}: expected {} x {} bytes of data for shape ({}), found {} bytes", name,
         found / item < static_cast<uint64_t>(*count) ? "is cut off" : "is longer than its header says", *count, item,
         fmt::join(header.shape, ", "), found);
  return *count;
}

template <class T>
NpyArray<T> read_stream(std::istream& in, const std::string& name, uint64_t bytes) {
  NpyHeader header = read_npy_header(in, name, bytes);
  const NpyType type = parse_npy_type(header.dtype, name);
  const int64_t count = expect_whole(header, type, bytes, name);
  NpyArray<T> out;
  out.values = read_as<T>(type, {in, header, type.big_endian, count, name});
  out.shape = std::move(header.shape);
  return out;
}

template <class T>
std::string head_of(std::span<const T> values, const std::vector<int64_t>& shape, const std::string& name) {
  const std::optional<int64_t> count = element_count(shape);
  if (!count || *count != static_cast<int64_t>(values.size()))
    fail("{}: {} values do not fill the shape ({})", name, values.size(), fmt::join(shape, ", "));
  return npy_head(dtype_of<T>(), shape, name);
}

}  // namespace

NpyLayout npy_layout(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::ifstream in = open_file(path);
  const uint64_t file_bytes = std::filesystem::file_size(path);
  NpyHeader header = read_npy_header(in, name, file_bytes);
  const NpyType type = parse_npy_type(header.dtype, name);
  expect_whole(header, type, file_bytes, name);
  return {.shape = std::move(header.shape),
          .kind = type.kind,
          .bytes = type.bytes,
          .big_endian = type.big_endian,
          .fortran = header.fortran,
          .first = header.bytes};
}

template <class T>
NpyArray<T> read_npy(const std::filesystem::path& path) {
  std::ifstream in = open_file(path);
  return read_stream<T>(in, path.string(), std::filesystem::file_size(path));
}

template <class T>
NpyArray<T> parse_npy(std::string bytes, const std::string& name) {
  const uint64_t count = bytes.size();
  std::istringstream in(std::move(bytes));
  return read_stream<T>(in, name, count);
}

template <class T>
void write_npy(const std::filesystem::path& path, std::span<const T> values, const std::vector<int64_t>& shape) {
  const std::string head = head_of(values, shape, path.string());
  write_file(path, {as_bytes(head), Bytes(reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes())});
}

template <class T>
std::string npy_bytes(std::span<const T> values, const std::vector<int64_t>& shape) {
  return head_of(values, shape, "an array").append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

template NpyArray<float> read_npy(const std::filesystem::path&);
template NpyArray<double> read_npy(const std::filesystem::path&);
template NpyArray<int32_t> read_npy(const std::filesystem::path&);
template NpyArray<int64_t> read_npy(const std::filesystem::path&);
template NpyArray<uint8_t> read_npy(const std::filesystem::path&);
template NpyArray<double> parse_npy(std::string, const std::string&);
template NpyArray<int64_t> parse_npy(std::string, const std::string&);
template std::string npy_bytes(std::span<const float>, const std::vector<int64_t>&);
template std::string npy_bytes(std::span<const int64_t>, const std::vector<int64_t>&);
template void write_npy(const std::filesystem::path&, std::span<const float>, const std::vector<int64_t>&);
template void write_npy(const std::filesystem::path&, std::span<const double>, const std::vector<int64_t>&);
template void write_npy(const std::filesystem::path&, std::span<const int32_t>, const std::vector<int64_t>&);
template void write_npy(const std::filesystem::path&, std::span<const int64_t>, const std::vector<int64_t>&);
template void write_npy(const std::filesystem::path&, std::span<const uint8_t>, const std::vector<int64_t>&);

}  // namespace kith::data
