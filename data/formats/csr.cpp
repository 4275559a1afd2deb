#include "data/formats/csr.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>

#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "data/formats/npy_header.h"
#include "data/formats/zip.h"

namespace kith::data {
namespace {

template <class T>
std::vector<T> vector_in(const ZipArchive& zip, const std::string& file, const std::string& member) {
  NpyArray<T> array = parse_npy<T>(zip.read(member), file + ": " + member);
  if (array.shape.size() != 1) fail("{}: {}: {} extents, expected 1", file, member, array.shape.size());
  return std::move(array.values);
}

// A text of ASCII, of dtype S or U (four bytes a letter).
std::string text_in(const ZipArchive& zip, const std::string& file, const std::string& member) {
  const std::string bytes = zip.read(member);
  std::istringstream in(bytes);
  const NpyHeader header = read_npy_header(in, file + ": " + member, bytes.size());
  std::string text = bytes.substr(header.bytes);
  std::erase(text, '\0');
  return text;
}

void expect_rows(const CsrGraph& g, const std::string& file) {
  if (g.rows < 0 || g.columns < 0 || static_cast<int64_t>(g.starts.size()) - 1 != g.rows)
    fail("{}: indptr.npy has {} elements, expected one more than the {} rows of shape.npy", file, g.starts.size(),
         g.rows);
  if (g.indices.size() != g.values.size())
    fail("{}: {} elements in indices.npy, but {} in data.npy", file, g.indices.size(), g.values.size());
  if (g.starts.front() != 0) fail("{}: indptr.npy begins with {}, expected 0", file, g.starts.front());
  for (size_t i = 1; i < g.starts.size(); ++i)
    if (g.starts[i] < g.starts[i - 1] || g.starts[i] > static_cast<int64_t>(g.indices.size()))
      fail("{}: indptr.npy goes from {} to {} at row {}; expected to ascend, to at most {}", file, g.starts[i - 1],
           g.starts[i], i - 1, g.indices.size());
}

}  // namespace

CsrGraph read_csr(const std::filesystem::path& path) {
  const std::string file = path.string();
  const ZipArchive zip(path);
  if (!zip.has("format.npy")) fail("{}: no format.npy in it; expected a graph of scipy.sparse.save_npz", file);
  if (const std::string format = text_in(zip, file, "format.npy"); format != "csr")
    fail("{}: a matrix in the format '{}', expected 'csr' (save G.tocsr())", file, format);
  const std::vector<int64_t> shape = vector_in<int64_t>(zip, file, "shape.npy");
  if (shape.size() != 2) fail("{}: shape.npy has {} elements, expected 2", file, shape.size());
  CsrGraph graph{.rows = shape[0],
                 .columns = shape[1],
                 .starts = vector_in<int64_t>(zip, file, "indptr.npy"),
                 .indices = vector_in<int64_t>(zip, file, "indices.npy"),
                 .values = vector_in<double>(zip, file, "data.npy")};
  expect_rows(graph, file);
  graph.indices.resize(static_cast<size_t>(graph.starts.back()));
  graph.values.resize(graph.indices.size());
  return graph;
}

void write_csr(const std::filesystem::path& path, const CsrGraph& graph) {
  expect_rows(graph, path.string());
  std::vector<float> values;
  values.reserve(graph.values.size());
  for (const double value : graph.values) values.push_back(static_cast<float>(value));
  const std::vector<int64_t> shape = {graph.rows, graph.columns};
  const auto bytes = [](const std::vector<int64_t>& array) {
    return npy_bytes<int64_t>(array, {static_cast<int64_t>(array.size())});
  };
  write_zip(path, {{"indices.npy", bytes(graph.indices)},
                   {"indptr.npy", bytes(graph.starts)},
                   {"format.npy", npy_head("|S3", {}, path.string()) + "csr"},
                   {"shape.npy", bytes(shape)},
                   {"data.npy", npy_bytes<float>(values, {static_cast<int64_t>(values.size())})}});
}

}  // namespace kith::data
