#include "nn/state/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr uint64_t kMaxHeader = 100u << 20;  // the format's own limit

int64_t dtype_bytes(const std::string& dtype) {
  static const std::map<std::string, int64_t> sizes{{"F64", 8},  {"I64", 8},     {"U64", 8},     {"F32", 4}, {"I32", 4},
                                                    {"U32", 4},  {"F16", 2},     {"BF16", 2},    {"I16", 2}, {"U16", 2},
                                                    {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I8", 1},  {"U8", 1}};
  const auto it = sizes.find(dtype);
  return it == sizes.end() ? 0 : it->second;
}

struct Entry {
  std::string name;
  HostArray array;
  uint64_t begin = 0, end = 0;
};

// json's own conversion would take 4.7 for 4.
template <class T>
bool integers(const nlohmann::json& list, T& out) {
  if (!list.is_array() || !std::ranges::all_of(list, [](const auto& value) { return value.is_number_integer(); }))
    return false;
  out = list.get<T>();
  return true;
}

Entry parse_entry(const std::string& file, const std::string& name, const nlohmann::json& j, uint64_t data_bytes) {
  const auto bad = [&](const std::string& what) { return Error(fmt::format("{}: tensor {}: {}", file, name, what)); };
  if (!j.is_object() || !j.contains("dtype") || !j.contains("shape") || !j.contains("data_offsets"))
    throw bad("expected dtype, shape and data_offsets");
  Entry e{.name = name, .array = {}};
  std::vector<int64_t> offsets;
  if (!j.at("dtype").is_string() || !integers(j.at("shape"), e.array.shape) ||
      !integers(j.at("data_offsets"), offsets) || offsets.size() != 2)
    throw bad(fmt::format("dtype, shape or data_offsets of a wrong type: {}, {}, {}", j.at("dtype").dump(),
                          j.at("shape").dump(), j.at("data_offsets").dump()));
  e.array.dtype = j.at("dtype").get<std::string>();
  e.begin = static_cast<uint64_t>(offsets[0]);  // a negative one lies beyond every file
  e.end = static_cast<uint64_t>(offsets[1]);
  const int64_t item = dtype_bytes(e.array.dtype);
  if (item == 0) throw bad(fmt::format("dtype {} is not supported", e.array.dtype));
  uint64_t count = 1;
  for (const int64_t extent : e.array.shape) {
    if (extent < 0 || (extent > 0 && count > (uint64_t{1} << 40) / static_cast<uint64_t>(extent)))
      throw bad(fmt::format("shape [{}] is out of range", fmt::join(e.array.shape, ", ")));
    count *= static_cast<uint64_t>(extent);
  }
  if (e.begin > e.end || e.end > data_bytes || e.end - e.begin != count * static_cast<uint64_t>(item))
    throw bad(fmt::format("damaged: bytes {}..{} do not hold {} [{}] within {} bytes of data", offsets[0], offsets[1],
                          e.array.dtype, fmt::join(e.array.shape, ", "), data_bytes));
  return e;
}

// The JSON parser keeps the last of two values under one name.
nlohmann::json parse_header(const std::string& file, const std::string& header) {
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> names;  // of the objects that are open
  std::string twice;
  const auto watch = [&](int, Event event, nlohmann::json& parsed) {
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end) names.pop_back();
    if (event == Event::key && !names.back().insert(parsed.get<std::string>()).second) twice = parsed.dump();
    return true;
  };
  nlohmann::json j = nlohmann::json::parse(header, watch, /*allow_exceptions=*/false);
  if (!header.starts_with('{') || !j.is_object())
    throw Error(fmt::format("{}: damaged: the safetensors header is not a JSON object", file));
  if (!twice.empty()) throw Error(fmt::format("{}: damaged: the safetensors header holds {} twice", file, twice));
  return j;
}

struct Header {
  nlohmann::json json;
  uint64_t data_bytes = 0;  // of what follows its text, where the stream stands
};

Header read_header(std::ifstream& in, const std::string& file) {
  if (!in) throw Error(fmt::format("{}: cannot open: {}", file, std::strerror(errno)));
  in.seekg(0, std::ios::end);
  const auto size = static_cast<uint64_t>(in.tellg());
  in.seekg(0);
  uint64_t header_bytes = 0;
  if (size < 8 || !in.read(reinterpret_cast<char*>(&header_bytes), 8) || header_bytes > kMaxHeader)
    throw Error(
        fmt::format("{}: not a safetensors file ({} bytes): expected the length of a header of at most {} MiB first",
                    file, size, kMaxHeader >> 20));
  if (header_bytes > size - 8)
    throw Error(fmt::format("{}: not a safetensors file, or one that is cut off: {} bytes, expected a header of {}",
                            file, size, header_bytes));
  std::string header(header_bytes, '\0');
  in.read(header.data(), static_cast<std::streamsize>(header_bytes));
  return {.json = parse_header(file, header), .data_bytes = size - 8 - header_bytes};
}

std::map<std::string, std::string> metadata_of(const std::string& file, const nlohmann::json& header) {
  std::map<std::string, std::string> out;
  const auto at = header.find("__metadata__");
  if (at == header.end() || at->is_null()) return out;
  if (!at->is_object()) throw Error(fmt::format("{}: __metadata__ is not a JSON object", file));
  for (const auto& [key, text] : at->items()) {
    if (!text.is_string()) throw Error(fmt::format("{}: __metadata__: {} is not a string", file, key));
    out[key] = text.get<std::string>();
  }
  return out;
}

// In the order of the data, where one begins as the last ends.
void expect_side_by_side(const std::string& file, std::vector<Entry>& entries, uint64_t data_bytes) {
  const auto place = [](const Entry& e) { return std::pair(e.begin, e.end); };
  std::ranges::sort(entries, {}, place);  // a tensor of no bytes before the one that begins there
  uint64_t at = 0;
  for (const Entry& e : entries) {
    if (e.begin < at) throw Error(fmt::format("{}: damaged: tensor {} overlaps another", file, e.name));
    if (e.begin > at)
      throw Error(
          fmt::format("{}: damaged: {} bytes before tensor {} belong to no tensor", file, e.begin - at, e.name));
    at = e.end;
  }
  if (at != data_bytes) throw Error(fmt::format("{}: damaged: {} bytes after the last tensor", file, data_bytes - at));
}

// In the order of the data.
std::vector<Entry> entries_of(const std::string& file, const Header& header) {
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.json.items())
    if (name != "__metadata__") entries.push_back(parse_entry(file, name, value, header.data_bytes));
  expect_side_by_side(file, entries, header.data_bytes);
  return entries;
}

void write_all(int fd, const void* data, size_t bytes, const std::filesystem::path& path) {
  const auto* p = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(fd, p, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
    p += n;
    bytes -= static_cast<size_t>(n);
  }
}

// As data/formats/files.h has it, which nothing here may include.
std::filesystem::path behind_weight_links(std::filesystem::path path) {
  std::error_code error;
  constexpr int kMost = 40;  // as many as the system follows
  for (int link = 0; link < kMost && std::filesystem::is_symlink(path, error); ++link)
    path = path.parent_path() / std::filesystem::read_symlink(path, error);
  return path;
}

}  // namespace

int64_t HostArray::count() const {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;
  return n;
}

std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return metadata_of(path.string(), read_header(in, path.string()).json);
}

std::map<std::string, TensorPlace> safetensors_places(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const Header header = read_header(in, path.string());
  const auto start = static_cast<uint64_t>(in.tellg());
  std::map<std::string, TensorPlace> out;
  for (Entry& e : entries_of(path.string(), header))
    out[e.name] = {std::move(e.array.dtype), std::move(e.array.shape), start + e.begin, e.end - e.begin};
  return out;
}

SafeTensors read_safetensors(const std::filesystem::path& path) {
  const std::string file = path.string();
  std::ifstream in(path, std::ios::binary);
  const Header header = read_header(in, file);
  SafeTensors out{.metadata = metadata_of(file, header.json), .file = file};
  std::vector<Entry> entries = entries_of(file, header);
  for (Entry& e : entries) {
    e.array.bytes.resize(e.end - e.begin);
    if (!in.read(reinterpret_cast<char*>(e.array.bytes.data()), static_cast<std::streamsize>(e.array.bytes.size())))
      throw Error(fmt::format("{}: damaged: cannot read tensor {}", file, e.name));
    out.arrays.emplace(e.name, std::move(e.array));
  }
  return out;
}

void write_safetensors(const std::filesystem::path& name, const SafeTensors& content) {
  nlohmann::json j = nlohmann::json::object();
  if (!content.metadata.empty()) j["__metadata__"] = content.metadata;
  uint64_t at = 0;
  for (const auto& [name, array] : content.arrays) {
    check(dtype_bytes(array.dtype) * array.count() == static_cast<int64_t>(array.bytes.size()),
          fmt::format("tensor {}: {} bytes do not hold its shape", name, array.bytes.size()));
    j[name] = {{"dtype", array.dtype}, {"shape", array.shape}, {"data_offsets", {at, at + array.bytes.size()}}};
    at += array.bytes.size();
  }
  std::string header = j.dump();
  header.resize((header.size() + 8 + 63) / 64 * 64 - 8, ' ');
  const auto header_bytes = static_cast<uint64_t>(header.size());

  const std::filesystem::path path = behind_weight_links(name);
  const std::filesystem::path temporary = path.string() + ".partial";
  const int fd = ::open(temporary.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (fd < 0) throw Error(fmt::format("{}: cannot create: {}", temporary.string(), std::strerror(errno)));
  try {
    write_all(fd, &header_bytes, 8, path);
    write_all(fd, header.data(), header.size(), path);
    for (const auto& [name, array] : content.arrays) write_all(fd, array.bytes.data(), array.bytes.size(), path);
    if (::fsync(fd) != 0) throw Error(fmt::format("{}: cannot sync: {}", path.string(), std::strerror(errno)));
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      throw Error(fmt::format("{}: cannot rename to its final name: {}", temporary.string(), std::strerror(errno)));
  } catch (...) {
    ::close(fd);
    ::unlink(temporary.c_str());
    throw;
  }
  ::close(fd);
}

}  // namespace kith
