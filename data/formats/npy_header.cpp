#include "data/formats/npy_header.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "data/formats/content.h"
#include "data/formats/files.h"

namespace kith::data {
namespace {

constexpr size_t kLongest = 1u << 20;  // of a header; NumPy's own reader stops at 10,000 bytes

// The header is a Python dict of exactly three keys: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  NpyHeader parse() {
    NpyHeader header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        descr = true;
        if (peek() != '\'' && peek() != '"')
          fail("{}: the structured dtype {}... is not supported, expected one number per element (save a field)", file_,
               printable(text_.substr(at_, 24)));
        header.dtype = quoted();
      } else if (key == "fortran_order" && !order) {
        order = true;
        header.fortran = boolean();
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
  [[noreturn]] void bad(std::string_view why) const { fail("{}: damaged .npy header: {}", file_, why); }
  static std::string_view printable(std::string_view text) {
    const auto end = std::ranges::find_if(text, [](char c) { return c < 0x20 || c > 0x7e; });
    return text.substr(0, static_cast<size_t>(end - text.begin()));
  }
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

// Description of a dtype that holds no plain numbers, and the type to save instead.
std::string_view name_of_type(char kind, std::string_view size) {
  switch (kind) {
    case 'c':
      return "complex numbers";
    case 'O':
      return "Python objects";
    case 'U':
    case 'S':
    case 'a':
      return "text; save numbers, such as np.unique(a, return_inverse=True)[1]";
    case 'M':
    case 'm':
      return "dates or times";
    case 'V':
      return size == "2" ? "raw bytes, as NumPy saves bfloat16; save a.astype(np.float32)"
                         : "raw bytes, as NumPy saves types that it does not know";
    case 'f':
      return "floats of a size that not every machine has; save a.astype(np.float64)";
    default:
      return "not known";
  }
}

}  // namespace

NpyType parse_npy_type(const std::string& dtype, const std::string& name) {
  const size_t at = dtype.find_first_not_of("<>=|");
  if (at <= 1 && at < dtype.size()) {
    const char kind = dtype[at];
    const std::string size = dtype.substr(at + 1);
    for (const auto& [kinds, sizes] :
         {std::pair<std::string_view, std::string_view>{"iu", "1248"}, {"f", "248"}, {"b", "1"}})
      if (kinds.find(kind) != std::string_view::npos && size.size() == 1 && sizes.find(size) != std::string_view::npos)
        return {.kind = kind, .bytes = size[0] - '0', .big_endian = dtype[0] == '>'};
    fail("{}: dtype '{}' is not supported, expected integers, floats of 16, 32 or 64 bits, or bool; it is {}", name,
         dtype, name_of_type(kind, size));
  }
  fail("{}: damaged .npy header: '{}' is no dtype", name, dtype);
}

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

std::string npy_head(std::string_view dtype, const std::vector<int64_t>& shape, const std::string& name) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", dtype,
                                   fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  header.resize((header.size() + 1 + 10 + 63) / 64 * 64 - 10, ' ');
  header.back() = '\n';
  if (header.size() > 0xffff) fail("{}: a shape of {} extents is too long", name, shape.size());
  return fmt::format("{}\x01{}{}{}{}", kNpyMagic, '\0', static_cast<char>(header.size() & 0xff),
                     static_cast<char>(header.size() >> 8), header);
}

NpyHeader read_npy_header(std::istream& in, const std::string& name, uint64_t file_bytes) {
  std::array<char, kContentHead> head{};
  in.read(head.data(), head.size());
  const std::string_view start(head.data(), static_cast<size_t>(in.gcount()));
  if (!start.starts_with(kNpyMagic)) {
    const std::string found = but_it_is(as_bytes(start));
    const char* columns = start.find(',') != std::string_view::npos ? "(..., delimiter=',')" : "";
    fail("{}: not a .npy file ({} bytes){}{}", name, file_bytes, found,
         start.starts_with("PK")                     ? ", such as .npz: save one of its arrays by np.save"
         : found.find(" text ") != std::string::npos ? fmt::format("; np.save writes what np.loadtxt{} reads", columns)
                                                     : "");
  }
  if (start.size() < 10) fail("{}: damaged: the .npy file is cut off after {} bytes, in its header", name, file_bytes);
  const auto byte = [&](size_t i) { return uint64_t{static_cast<unsigned char>(start[i])}; };
  const auto major = byte(6), minor = byte(7);
  if (major < 1 || major > 3 || minor != 0)
    fail("{}: .npy version {}.{} is not supported, expected 1.0, 2.0 or 3.0", name, major, minor);
  const size_t prefix = major == 1 ? 10 : 12;
  if (start.size() < prefix)
    fail("{}: damaged: the .npy file is cut off after {} bytes, in its header", name, file_bytes);
  uint64_t length = byte(8) | byte(9) << 8;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > file_bytes - prefix)
    fail("{}: damaged: the .npy file is cut off in its header: expected {} bytes of it, found {}", name, length,
         file_bytes - prefix);
  if (length > kLongest) fail("{}: .npy header of {} bytes, expected at most {}", name, length, kLongest);
  std::string text(length, '\0');
  in.clear();  // a short file ended within the first read
  in.seekg(static_cast<std::streamoff>(prefix));
  if (!in.read(text.data(), static_cast<std::streamsize>(length)))
    fail("{}: damaged: cannot read the {} bytes of its header", name, length);
  NpyHeader header = Parser(text, name).parse();
  header.bytes = prefix + length;
  return header;
}

}  // namespace kith::data
