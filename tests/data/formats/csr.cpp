// Graphs of SciPy, and damaged archives.
#include "data/formats/csr.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <map>

#include "data/formats/npy.h"
#include "data/formats/zip.h"
#include "tests/data/dataset/synthetic.h"
#include "tests/support/golden.h"

namespace kith {
namespace {

using data::CsrGraph;
using data::read_csr;
using data::ZipArchive;
using test::error_of;

class Csr : public testing::Test {
 protected:
  template <class T>
  std::vector<T> said(const std::string& key) {
    const auto values = test::values<T>(golden, key);
    return {values.begin(), values.end()};
  }
  CsrGraph golden_graph(const std::string& name) {
    const auto bytes = test::values<uint8_t>(golden, "file/" + name);
    test::write_bytes(file, {bytes.begin(), bytes.end()});
    return read_csr(file);
  }
  // The members of a graph of two rows with one entry each, with those of `other` in their places.
  std::string fails(const std::map<std::string, std::string>& other) {
    const auto vector = [](std::vector<int64_t> v) {
      return data::npy_bytes<int64_t>(v, {static_cast<int64_t>(v.size())});
    };
    data::write_csr(file, {.rows = 2, .columns = 2, .starts = {0, 1, 2}, .indices = {1, 0}, .values = {1, 1}});
    std::map<std::string, std::string> all = {{"indptr.npy", vector({0, 1, 2})},
                                              {"indices.npy", vector({1, 0})},
                                              {"data.npy", vector({1, 1})},
                                              {"shape.npy", vector({2, 2})},
                                              {"format.npy", ZipArchive(file).read("format.npy")}};
    for (const auto& [name, content] : other) all[name] = content;
    std::vector<data::ZipMember> members;
    for (const auto& [name, content] : all)
      if (!content.empty()) members.push_back({name, content});
    data::write_zip(file, members);
    return error_of([&] { read_csr(file); });
  }
  std::string fails(const std::string& member, std::vector<int64_t> v) {
    return fails({{member, data::npy_bytes<int64_t>(v, {static_cast<int64_t>(v.size())})}});
  }
  SafeTensors golden = test::golden("csr");
  test::TemporaryFolder dir;
  std::filesystem::path file = dir / "g.npz";
};

TEST_F(Csr, ReadsEveryFileOfSciPy) {
  int files = 0;
  for (const auto& [key, ignored] : golden.arrays) {
    if (!key.starts_with("indptr/")) continue;
    ++files;
    const std::string name = key.substr(7);
    const CsrGraph got = golden_graph(name);
    EXPECT_EQ((std::vector<int64_t>{got.rows, got.columns}), said<int64_t>("shape/" + name)) << name;
    EXPECT_EQ(got.starts, said<int64_t>(key)) << name;
    EXPECT_EQ(got.indices, said<int64_t>("indices/" + name)) << name;
    EXPECT_EQ(got.values, said<double>("data/" + name)) << name;  // 0 is an entry
  }
  EXPECT_EQ(files, 22);
}

TEST_F(Csr, NamesOtherMatrices) {
  EXPECT_HAS(error_of([&] { golden_graph("refused csc"); }), "g.npz: a matrix in the format 'csc', expected 'csr'");
  EXPECT_HAS(error_of([&] { golden_graph("refused coo"); }), "a matrix in the format 'coo'");
  EXPECT_HAS(error_of([&] { golden_graph("refused complex"); }), "g.npz: data.npy: dtype '<c8' is not supported");
}

TEST_F(Csr, RoundTripAndTheSameBytesTwice) {
  const CsrGraph graph{
      .rows = 3, .columns = 4, .starts = {0, 2, 2, 3}, .indices = {3, int64_t{1} << 40, 0}, .values = {0.25, 0, -1}};
  data::write_csr(file, graph);
  const CsrGraph got = read_csr(file);
  EXPECT_EQ(got.rows, 3);
  EXPECT_EQ(got.columns, 4);
  EXPECT_EQ(got.starts, graph.starts);
  EXPECT_EQ(got.indices, graph.indices);
  EXPECT_EQ(got.values, graph.values);
  data::write_csr(dir / "h.npz", graph);
  EXPECT_EQ(test::read_bytes(file), test::read_bytes(dir / "h.npz"));
  EXPECT_EQ(ZipArchive(file).read("format.npy").substr(128), "csr");
}

TEST_F(Csr, RowPointersThatDoNotFitAreErrors) {
  EXPECT_HAS(fails("indptr.npy", {0, 2}), "indptr.npy has 2 elements, expected one more than the 2 rows");
  EXPECT_HAS(fails("indptr.npy", {1, 1, 2}), "indptr.npy begins with 1, expected 0");
  EXPECT_HAS(fails("indptr.npy", {0, 2, 1}), "indptr.npy goes from 2 to 1 at row 1");
  EXPECT_HAS(fails("indptr.npy", {0, 1, 3}), "indptr.npy goes from 1 to 3 at row 1; expected to ascend, to at most 2");
  EXPECT_HAS(fails("shape.npy", {2}), "shape.npy has 1 elements, expected 2");
  EXPECT_HAS(fails("shape.npy", {-1, 2}), "expected one more than the -1 rows");
  EXPECT_HAS(fails("indices.npy", {1}), "1 elements in indices.npy, but 2 in data.npy");
  EXPECT_HAS(fails({{"format.npy", ""}}), "no format.npy in it; expected a graph of scipy.sparse.save_npz");
  EXPECT_HAS(fails({{"data.npy", ""}}), "no data.npy in it");
  EXPECT_HAS(fails({{"data.npy", data::npy_bytes<int64_t>(std::vector<int64_t>{1, 1}, {1, 2})}}),
             "data.npy: 2 extents, expected 1");
  EXPECT_EQ(fails("indptr.npy", {0, 1, 1}), "");  // SciPy reads a longer array too
  EXPECT_EQ(read_csr(file).indices, std::vector<int64_t>{1});
}

// Names are those of the file, whatever is in them.
TEST_F(Csr, NamesOfMembersAreShownOnOneLine) {
  data::write_zip(file, {{"a\nb", "1"}, {"a\nb", "2"}});
  EXPECT_EQ(error_of([&] { read_csr(file); }), file.string() + ": a\\x0ab is there twice");
}

// Whatever a byte becomes, the answer is one line or a graph: no crash, no memory beyond what the directory tells.
TEST_F(Csr, DamagedArchivesAreOneLine) {
  for (const char* name : {"deflated float32 int32", "stored float32 int32"}) {
    golden_graph(name);
    const std::vector<uint8_t> whole = test::read_bytes(file);
    const auto expect_line = [&](const std::vector<uint8_t>& bytes) {
      test::write_bytes(file, bytes);
      try {
        read_csr(file);
      } catch (const std::runtime_error& e) {
        EXPECT_TRUE(std::string(e.what()).starts_with(file.string() + ": ")) << e.what();
        EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
      }
    };
    for (size_t at = 0; at < whole.size(); at += 3) {
      for (const uint8_t flip : {uint8_t{0x01}, uint8_t{0xff}}) {
        std::vector<uint8_t> bytes = whole;
        bytes[at] = static_cast<uint8_t>(bytes[at] ^ flip);
        expect_line(bytes);
      }
      test::write_bytes(file, {whole.begin(), whole.begin() + static_cast<int64_t>(at)});
      EXPECT_HAS(error_of([&] { read_csr(file); }), "not a zip archive");
    }
  }
}

class Zip : public testing::Test {
 protected:
  // The archive of one deflated member, `size` being what its headers tell.
  std::string read_deflated(const std::string& content, uint32_t size) {
    data::write_zip(file, {{"a", content}});
    std::vector<uint8_t> bytes(::compressBound(content.size()));
    uLongf packed = bytes.size();
    EXPECT_EQ(::compress(bytes.data(), &packed, reinterpret_cast<const Bytef*>(content.data()), content.size()), Z_OK);
    const std::string raw(bytes.begin() + 2, bytes.begin() + static_cast<int64_t>(packed) - 4);  // without zlib's frame
    data::write_zip(file, {{"a", raw}});
    std::vector<uint8_t> all = test::read_bytes(file);
    const size_t directory = all.size() - 22 - 47;
    const auto set = [&](size_t at, uint32_t value) { std::memcpy(all.data() + directory + at, &value, 4); };
    all[directory + 10] = 8;
    set(16, static_cast<uint32_t>(
                ::crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()))));
    set(24, size);
    test::write_bytes(file, all);
    return ZipArchive(file).read("a");
  }
  test::TemporaryFolder dir;
  std::filesystem::path file = dir / "a.zip";
};

TEST_F(Zip, SizesAreThoseOfTheDirectory) {
  const std::string content(17u << 20, 'x');  // more than one step of inflating
  EXPECT_TRUE(read_deflated(content, 17u << 20) == content);
  EXPECT_EQ(error_of([&] { read_deflated(content, (17u << 20) - 1); }),
            file.string() + ": a: damaged: 17825791 bytes expected");
  EXPECT_HAS(error_of([&] { read_deflated(content, 10); }), "damaged: 10 bytes expected");
  EXPECT_HAS(error_of([&] { read_deflated(content, (17u << 20) + 1); }), "damaged: 17825793 bytes expected");
}

TEST_F(Zip, ACommentIsAllowedAndWhatIsNotSupportedIsNamed) {
  data::write_zip(file, {{"a", "one"}, {"b", ""}});
  const std::vector<uint8_t> whole = test::read_bytes(file);
  const auto changed = [&](size_t from_end, uint8_t byte) {
    std::vector<uint8_t> bytes = whole;
    bytes.at(bytes.size() - from_end) = byte;
    test::write_bytes(file, bytes);
    return error_of([&] { ZipArchive(file).read("a"); });
  };
  EXPECT_EQ(ZipArchive(file).read("b"), "");
  EXPECT_TRUE(ZipArchive(file).has("a"));
  EXPECT_FALSE(ZipArchive(file).has("c"));
  constexpr size_t kFirst = 22 + 2 * 47;  // the first entry of the directory, from the end
  EXPECT_HAS(changed(kFirst - 8, 1), "a is encrypted");
  EXPECT_HAS(changed(kFirst - 10, 9), "a: compression method 9 is not supported");
  EXPECT_HAS(changed(kFirst - 16, 0), "a: damaged: its checksum differs");
  EXPECT_HAS(changed(kFirst - 46, 'b'), "b is there twice");
  EXPECT_HAS(changed(22 - 4, 1), "several volumes");
  std::vector<uint8_t> bytes = whole;
  bytes[bytes.size() - 2] = 3;
  bytes.insert(bytes.end(), {'c', 'o', 'm'});
  test::write_bytes(file, bytes);
  EXPECT_EQ(ZipArchive(file).read("a"), "one");
}

}  // namespace
}  // namespace kith
