#include "data/npy.h"

#include <fmt/ranges.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "data/files.h"

namespace kith::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the bytes of .npy values are copied as they are");

constexpr std::string_view kAccepted = "<f4 <f8 <i4 <i8 |u1";
constexpr std::string_view kMagic("\x93NUMPY", 6);

template <class T>
constexpr std::string_view dtype_of() {
  if constexpr (std::is_same_v<T, float>) return "<f4";
  if constexpr (std::is_same_v<T, double>) return "<f8";
  if constexpr (std::is_same_v<T, int32_t>) return "<i4";
  if constexpr (std::is_same_v<T, int64_t>) return "<i8";
  if constexpr (std::is_same_v<T, uint8_t>) return "|u1";
}

// The number of elements; nothing where it or an extent is negative or beyond 2^60.
std::optional<int64_t> element_count(const std::vector<int64_t>& shape) {
  constexpr int64_t kLimit = int64_t{1} << 60;
  int64_t nonzero = 1;
  bool empty = false;
  for (const int64_t extent : shape) {
    if (extent < 0) return std::nullopt;
    if (extent == 0) empty = true;
    if (extent > 0 && nonzero > kLimit / extent) return std::nullopt;
    if (extent > 0) nonzero *= extent;
  }
  return empty ? 0 : nonzero;
}

struct Header {
  std::string dtype;
  std::vector<int64_t> shape;
  size_t bytes = 0;  // of the file, before the data
};

// The header is a Python dict of exactly three keys: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Header parse() {
    Header header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        descr = true;
        if (peek() != '\'' && peek() != '"') bad("a structured dtype is not supported");
        header.dtype = quoted();
      } else if (key == "fortran_order" && !order) {
        order = true;
        if (boolean()) bad("fortran_order is True: expected C order (save np.ascontiguousarray(a))");
      } else if (key == "shape" && !shape) {
        shape = true;
        header.shape = tuple();
      } else {
        bad(fmt::format("key '{}' is unknown or appears twice", key));
      }
      if (!accept(',') && peek() != '}') bad("expected ',' or '}' after a value");
    }
    skip_space();
    if (at_ != text_.size()) bad("text after the closing brace");
    if (!descr || !order || !shape) bad("expected the keys descr, fortran_order and shape");
    return header;
  }

 private:
  [[noreturn]] void bad(std::string_view why) const { fail("{}: bad .npy header: {}", file_, why); }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) bad(fmt::format("expected '{}' at byte {}", c, at_));
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') bad(fmt::format("expected a quoted name at byte {}", at_));
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) bad("a quoted name does not end");
    std::string word(text_.substr(at_ + 1, end - at_ - 1));
    for (const char c : word)
      if (c < 0x20 || c > 0x7e) bad("a name holds bytes that are not printable");
    at_ = end + 1;
    return word;
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return word == "True";
    }
    bad("fortran_order is neither True nor False");
  }
  int64_t integer() {
    if (accept('-')) bad("shape has a negative extent");
    const size_t begin = at_;
    int64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (at_ - begin >= 18) bad("shape has an extent of more than 18 digits");
      value = value * 10 + (text_[at_] - '0');
    }
    if (at_ == begin) bad("shape is not a tuple of integers");
    accept('L');  // Python 2 wrote long integers so
    return value;
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> shape;
    expect('(');
    while (!accept(')')) {
      peek();
      shape.push_back(integer());
      if (shape.size() > 64) bad("shape has more than 64 extents");
      if (accept(',')) continue;
      if (peek() != ')') bad("shape is not a tuple of integers");
      if (shape.size() == 1) bad("shape is a number, expected a tuple");
    }
    return shape;
  }

  std::string_view text_;
  const std::string& file_;
  size_t at_ = 0;
};

Header read_header(Bytes file, const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with(kMagic) || text.size() < 10) fail("{}: not a .npy file ({} bytes)", name, file.size());
  const int major = file[6], minor = file[7];
  if ((major != 1 && major != 2) || minor != 0)
    fail("{}: .npy version {}.{} is not supported, expected 1.0 or 2.0", name, major, minor);
  const size_t prefix = major == 1 ? 10 : 12;
  if (file.size() < prefix) fail("{}: truncated .npy header", name);
  size_t length = file[8] | size_t{file[9]} << 8;
  if (major == 2) length |= size_t{file[10]} << 16 | size_t{file[11]} << 24;
  if (length > file.size() - prefix)
    fail("{}: truncated .npy header: expected {} bytes, found {}", name, length, file.size() - prefix);
  Header header = HeaderParser(text.substr(prefix, length), name).parse();
  header.bytes = prefix + length;
  return header;
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

template <class To, class From>
std::vector<To> convert_values(Bytes bytes, int64_t count, const std::string& name) {
  std::vector<To> values(static_cast<size_t>(count));
  if constexpr (std::is_same_v<To, From>) {
    if (count > 0) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    From value;
    std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
    const std::optional<To> converted = convert<To>(value);
    if (!converted) fail("{}: element {} is {}, which does not fit {}", name, i, value, dtype_of<To>());
    values[i] = *converted;
  }
  return values;
}

template <class To, class From>
Array<To> read_values(Bytes file, Header header, const std::string& name) {
  const std::optional<int64_t> count = element_count(header.shape);
  const auto found = static_cast<int64_t>(file.size() - header.bytes);
  const int64_t item = static_cast<int64_t>(sizeof(From));
  if (!count) fail("{}: shape ({}) is out of range", name, fmt::join(header.shape, ", "));
  if (found % item != 0 || found / item != *count)
    fail("{}: expected {} x {} bytes of data for shape ({}), found {} bytes", name, *count, item,
         fmt::join(header.shape, ", "), found);
  return {std::move(header.shape), convert_values<To, From>(file.subspan(header.bytes), *count, name)};
}

}  // namespace

template <class T>
Array<T> read_npy(const std::filesystem::path& path) {
  const std::string name = path.string();
  const std::vector<uint8_t> file = read_file(path);
  Header header = read_header(file, name);
  const std::string& dtype = header.dtype;
  if (dtype == "<f4") return read_values<T, float>(file, std::move(header), name);
  if (dtype == "<f8") return read_values<T, double>(file, std::move(header), name);
  if (dtype == "<i4") return read_values<T, int32_t>(file, std::move(header), name);
  if (dtype == "<i8") return read_values<T, int64_t>(file, std::move(header), name);
  if (dtype == "|u1" || dtype == "<u1") return read_values<T, uint8_t>(file, std::move(header), name);
  fail("{}: dtype '{}' is not supported{}, expected one of {}", name, dtype,
       dtype.starts_with('>') ? " (big endian)" : "", kAccepted);
}

template <class T>
void write_npy(const std::filesystem::path& path, std::span<const T> values, const std::vector<int64_t>& shape) {
  const std::optional<int64_t> count = element_count(shape);
  if (!count || *count != static_cast<int64_t>(values.size()))
    fail("{}: {} values do not fill the shape ({})", path.string(), values.size(), fmt::join(shape, ", "));
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", dtype_of<T>(),
                                   fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  header.resize((header.size() + 1 + 10 + 63) / 64 * 64 - 10, ' ');  // data begins at a multiple of 64 bytes
  header.back() = '\n';
  if (header.size() > 0xffff) fail("{}: a shape of {} extents is too long", path.string(), shape.size());
  const std::string prefix = fmt::format("{}\x01{}{}{}", kMagic, '\0', static_cast<char>(header.size() & 0xff),
                                         static_cast<char>(header.size() >> 8));
  write_file(path, {as_bytes(prefix), as_bytes(header),
                    Bytes(reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes())});
}

template Array<float> read_npy(const std::filesystem::path&);
template Array<double> read_npy(const std::filesystem::path&);
template Array<int32_t> read_npy(const std::filesystem::path&);
template Array<int64_t> read_npy(const std::filesystem::path&);
template Array<uint8_t> read_npy(const std::filesystem::path&);
template void write_npy(const std::filesystem::path&, std::span<const float>, const std::vector<int64_t>&);
template void write_npy(const std::filesystem::path&, std::span<const double>, const std::vector<int64_t>&);
template void write_npy(const std::filesystem::path&, std::span<const int32_t>, const std::vector<int64_t>&);
template void write_npy(const std::filesystem::path&, std::span<const int64_t>, const std::vector<int64_t>&);
template void write_npy(const std::filesystem::path&, std::span<const uint8_t>, const std::vector<int64_t>&);

}  // namespace kith::data
