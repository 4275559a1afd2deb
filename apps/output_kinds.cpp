#include "apps/output_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <fstream>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>

#include "data/formats/npy.h"
#include "data/formats/zip.h"
#include "kernels/core/check.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

std::string first_bytes(const fs::path& file, size_t bytes) {
  std::string text(bytes, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(text.data(), static_cast<std::streamsize>(bytes));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

// Nothing where it is no array, or not whole, or not as kith writes one.
std::optional<data::NpyLayout> own_layout(const fs::path& file, char kind, int bytes, size_t rank) {
  try {
    data::NpyLayout layout = data::npy_layout(file);
    const bool own = layout.kind == kind && layout.bytes == bytes && layout.shape.size() == rank &&
                     !layout.big_endian && !layout.fortran;
    return own ? std::optional(std::move(layout)) : std::nullopt;
  } catch (const std::exception&) {
    return {};
  }
}

bool begins_with_probabilities(const fs::path& file) {
  const std::optional<data::NpyLayout> layout = own_layout(file, 'f', 4, 2);
  if (!layout || layout->shape[0] == 0) return layout.has_value();
  std::vector<float> row(static_cast<size_t>(layout->shape[1]));
  std::ifstream in(file, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(layout->first));
  in.read(reinterpret_cast<char*>(row.data()), static_cast<std::streamsize>(row.size() * sizeof(float)));
  constexpr double kRounding = 1e-3;  // of a softmax in bf16 or f32
  return in && std::ranges::all_of(row, [](float p) { return p >= 0 && p <= 1; }) &&
         std::abs(std::accumulate(row.begin(), row.end(), 0.) - 1) < kRounding;
}

bool is_graph(const fs::path& file) {
  try {
    const data::ZipArchive zip(file);
    return std::ranges::all_of(std::vector<std::string>{"data.npy", "indices.npy", "indptr.npy", "shape.npy"},
                               [&](const std::string& member) { return zip.has(member); });
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

OutputKind text_kind(std::string what, std::vector<std::string> beginnings) {
  return {.what = std::move(what), .is = [all = std::move(beginnings)](const fs::path& file) {
            return std::ranges::any_of(
                all, [&](const std::string& text) { return first_bytes(file, text.size()) == text; });
          }};
}

OutputKind array_kind(std::string what, char kind, int bytes, size_t rank) {
  return {.what = std::move(what),
          .is = [=](const fs::path& file) { return own_layout(file, kind, bytes, rank).has_value(); }};
}

OutputKind probabilities_kind() { return {.what = "array of probabilities", .is = begins_with_probabilities}; }

OutputKind graph_kind() { return {.what = "graph of kith graph", .is = is_graph}; }

OutputKind network_kind() {
  return {.what = "network of kith export", .is = [](const fs::path& file) {
            constexpr size_t kHead = 64;  // in which an ONNX file names the program that made it
            return first_bytes(file, kHead).find("kith") != std::string::npos;
          }};
}

void expect_replaceable(const fs::path& file, const char* option, const OutputKind& kind) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored) || fs::file_size(file, ignored) == 0 || kind.is(file)) return;
  throw Error(
      fmt::format("{}: is there already, and is no {}; give {} another name", file.string(), kind.what, option));
}

}  // namespace kith
