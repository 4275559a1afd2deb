#include "nn/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr uint64_t kMaxHeader = 100u << 20;  // the format's own limit

int64_t dtype_bytes(const std::string& dtype) {
  static const std::map<std::string, int64_t> sizes{{"F64", 8}, {"I64", 8},  {"F32", 4}, {"I32", 4},
                                                    {"F16", 2}, {"BF16", 2}, {"U8", 1},  {"BOOL", 1}};
  const auto it = sizes.find(dtype);
  return it == sizes.end() ? 0 : it->second;
}

struct Entry {
  std::string name;
  HostArray array;
  uint64_t begin = 0, end = 0;
};

Entry parse_entry(const std::string& file, const std::string& name, const nlohmann::json& j, uint64_t data_bytes) {
  const auto bad = [&](const std::string& what) { return Error(fmt::format("{}: tensor {}: {}", file, name, what)); };
  if (!j.is_object() || !j.contains("dtype") || !j.contains("shape") || !j.contains("data_offsets"))
    throw bad("expected dtype, shape and data_offsets");
  Entry e{.name = name, .array = {}};
  try {
    e.array.dtype = j.at("dtype").get<std::string>();
    e.array.shape = j.at("shape").get<std::vector<int64_t>>();
    const auto offsets = j.at("data_offsets").get<std::array<uint64_t, 2>>();
    e.begin = offsets[0];
    e.end = offsets[1];
  } catch (const nlohmann::json::exception&) {
    throw bad("dtype, shape or data_offsets of a wrong type");
  }
  const int64_t item = dtype_bytes(e.array.dtype);
  if (item == 0) throw bad(fmt::format("dtype {} is not supported", e.array.dtype));
  uint64_t count = 1;
  for (const int64_t extent : e.array.shape) {
    if (extent < 0 || (extent > 0 && count > (uint64_t{1} << 40) / static_cast<uint64_t>(extent)))
      throw bad(fmt::format("shape [{}] is out of range", fmt::join(e.array.shape, ", ")));
    count *= static_cast<uint64_t>(extent);
  }
  if (e.begin > e.end || e.end > data_bytes || e.end - e.begin != count * static_cast<uint64_t>(item))
    throw bad(fmt::format("bytes {}..{} do not hold {} [{}] within {} bytes of data", e.begin, e.end, e.array.dtype,
                          fmt::join(e.array.shape, ", "), data_bytes));
  return e;
}

struct Header {
  nlohmann::json json;
  uint64_t bytes = 0, data_bytes = 0;  // of its text, and of what follows
};

Header read_header(std::ifstream& in, const std::string& file) {
  if (!in) throw Error(fmt::format("{}: cannot open", file));
  in.seekg(0, std::ios::end);
  const auto size = static_cast<uint64_t>(in.tellg());
  in.seekg(0);
  uint64_t header_bytes = 0;
  if (size < 8 || !in.read(reinterpret_cast<char*>(&header_bytes), 8) || header_bytes > kMaxHeader ||
      header_bytes > size - 8)
    throw Error(fmt::format("{}: not a safetensors file ({} bytes)", file, size));
  std::string header(header_bytes, '\0');
  in.read(header.data(), static_cast<std::streamsize>(header_bytes));
  Header h{.json = nlohmann::json::parse(header, nullptr, /*allow_exceptions=*/false),
           .bytes = header_bytes,
           .data_bytes = size - 8 - header_bytes};
  if (!h.json.is_object()) throw Error(fmt::format("{}: the safetensors header is not a JSON object", file));
  return h;
}

std::map<std::string, std::string> metadata_of(const Header& header) {
  std::map<std::string, std::string> metadata;
  const auto at = header.json.find("__metadata__");
  if (at != header.json.end())
    for (const auto& [key, text] : at->items())
      if (text.is_string()) metadata[key] = text.get<std::string>();
  return metadata;
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

}  // namespace

int64_t HostArray::count() const {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;
  return n;
}

std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return metadata_of(read_header(in, path.string()));
}

SafeTensors read_safetensors(const std::filesystem::path& path) {
  const std::string file = path.string();
  std::ifstream in(path, std::ios::binary);
  const Header header = read_header(in, file);
  SafeTensors out{.arrays = {}, .metadata = metadata_of(header)};
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.json.items())
    if (name != "__metadata__") entries.push_back(parse_entry(file, name, value, header.data_bytes));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.begin < b.begin; });
  uint64_t at = 0;
  for (Entry& e : entries) {
    if (e.begin < at) throw Error(fmt::format("{}: tensor {} overlaps another", file, e.name));
    at = e.end;
    e.array.bytes.resize(e.end - e.begin);
    in.seekg(static_cast<std::streamoff>(8 + header.bytes + e.begin));
    if (!in.read(reinterpret_cast<char*>(e.array.bytes.data()), static_cast<std::streamsize>(e.array.bytes.size())))
      throw Error(fmt::format("{}: cannot read tensor {}", file, e.name));
    out.arrays.emplace(e.name, std::move(e.array));
  }
  return out;
}

void write_safetensors(const std::filesystem::path& path, const SafeTensors& content) {
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

  const std::filesystem::path temporary = path.string() + ".partial";
  const int fd = ::open(temporary.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (fd < 0) throw Error(fmt::format("{}: cannot create: {}", temporary.string(), std::strerror(errno)));
  try {
    write_all(fd, &header_bytes, 8, path);
    write_all(fd, header.data(), header.size(), path);
    for (const auto& [name, array] : content.arrays) write_all(fd, array.bytes.data(), array.bytes.size(), path);
    if (::fsync(fd) != 0) throw Error(fmt::format("{}: cannot sync: {}", path.string(), std::strerror(errno)));
  } catch (...) {
    ::close(fd);
    ::unlink(temporary.c_str());
    throw;
  }
  ::close(fd);
  std::filesystem::rename(temporary, path);
}

}  // namespace kith
