#include "nn/state/safetensors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "kernels/core/check.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

class safetensors : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    dir_ = fs::path(testing::TempDir()) / (std::string("kith_") + info->test_suite_name() + "_" + info->name());
    fs::create_directories(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  fs::path file(const std::string& name = "a.safetensors") const { return dir_ / name; }
  // A file of that header and so many data bytes.
  fs::path raw(const std::string& header, size_t data_bytes, int64_t header_bytes = -1) const {
    std::ofstream out(file(), std::ios::binary);
    const auto length = static_cast<uint64_t>(header_bytes < 0 ? static_cast<int64_t>(header.size()) : header_bytes);
    out.write(reinterpret_cast<const char*>(&length), 8);
    out << header << std::string(data_bytes, 'x');
    return file();
  }
  // The message of the Error that reading gives.
  static std::string error_of(const fs::path& path) {
    try {
      read_safetensors(path);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }

  fs::path dir_;
};

HostArray floats(std::vector<int64_t> shape, const std::vector<float>& v) {
  HostArray a{.dtype = "F32", .shape = std::move(shape), .bytes = std::vector<std::byte>(v.size() * 4)};
  if (!v.empty()) std::memcpy(a.bytes.data(), v.data(), a.bytes.size());
  return a;
}

TEST_F(safetensors, round_trip_with_metadata_scalars_and_empty_arrays) {
  SafeTensors in;
  in.arrays["a.weight"] = floats({2, 1}, {1.5f, -2.f});
  in.arrays["none"] = floats({0, 3}, {});
  in.arrays["scalar"] = floats({}, {7.f});
  in.arrays["bytes"] = {.dtype = "U8", .shape = {3}, .bytes = std::vector<std::byte>(3, std::byte{9})};
  in.metadata = {{"epoch", "3"}, {"quote", "\"\n"}};
  write_safetensors(file(), in);
  const SafeTensors out = read_safetensors(file());
  EXPECT_EQ(out.metadata, in.metadata);
  ASSERT_EQ(out.arrays.size(), in.arrays.size());
  for (const auto& [name, array] : in.arrays) {
    EXPECT_EQ(out.arrays.at(name).dtype, array.dtype);
    EXPECT_EQ(out.arrays.at(name).shape, array.shape);
    EXPECT_EQ(out.arrays.at(name).bytes, array.bytes);
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), {}), 1);  // no temporary left
}

TEST_F(safetensors, data_starts_aligned) {
  SafeTensors in;
  in.arrays["x"] = floats({1}, {1.f});
  write_safetensors(file(), in);
  std::ifstream f(file(), std::ios::binary);
  uint64_t header = 0;
  f.read(reinterpret_cast<char*>(&header), 8);
  EXPECT_EQ((8 + header) % 64, 0u);
}

TEST_F(safetensors, bad_files_are_named_with_what_is_wrong) {
  const std::string entry = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_NO_THROW(read_safetensors(raw(entry, 8)));
  EXPECT_NE(error_of(file("absent")).find("cannot open"), std::string::npos);
  EXPECT_NE(error_of(raw(entry, 7)).find("tensor a"), std::string::npos);  // truncated
  EXPECT_NE(error_of(raw(entry, 8, 1 << 20)).find("not a safetensors file"), std::string::npos);
  EXPECT_NE(error_of(raw("{", 0)).find("not a JSON object"), std::string::npos);
  EXPECT_NE(error_of(raw("[1]", 0)).find("not a JSON object"), std::string::npos);
  EXPECT_NE(error_of(raw(R"({"a":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}})", 1)).find("F8"), std::string::npos);
  EXPECT_NE(error_of(raw(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}})", 0)).find("shape"),
            std::string::npos);
  EXPECT_NE(error_of(raw(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4)).find("bytes"),
            std::string::npos);
  EXPECT_NE(error_of(raw(R"({"a":{"dtype":"F32","shape":"x","data_offsets":[0,4]}})", 4)).find("wrong type"),
            std::string::npos);
  EXPECT_NE(
      error_of(raw(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0)).find("range"),
      std::string::npos);
  EXPECT_NE(
      error_of(
          raw(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
              6))
          .find("overlaps"),
      std::string::npos);
  for (const size_t bytes : {size_t{0}, size_t{5}}) {
    std::ofstream(file("short"), std::ios::binary) << std::string(bytes, '\0');
    EXPECT_NE(error_of(file("short")).find("not a safetensors file"), std::string::npos);
  }
}

TEST_F(safetensors, headers_are_read_as_strictly_as_by_the_reference) {
  const auto error = [&](const std::string& header, size_t bytes) { return error_of(raw(header, bytes)); };
  const auto tensor = [](const std::string& name, const std::string& shape, const std::string& offsets) {
    return fmt::format(R"("{}":{{"dtype":"U8","shape":{},"data_offsets":{}}})", name, shape, offsets);
  };
  const std::string a = tensor("a", "[2]", "[0,2]"), b = tensor("b", "[3]", "[2,5]");
  EXPECT_EQ(error("{" + a + "," + b + "}  ", 5), "no error");  // padded with spaces
  EXPECT_EQ(error("{" + b + "," + a + "}", 5), "no error");
  const std::string at = file().string() + ": ";
  EXPECT_EQ(error("{" + a + "}", 3), at + "damaged: 1 bytes after the last tensor");
  EXPECT_EQ(error("{}", 3), at + "damaged: 3 bytes after the last tensor");
  EXPECT_EQ(error("{" + tensor("a", "[2]", "[3,5]") + "}", 5),
            at + "damaged: 3 bytes before tensor a belong to no tensor");
  EXPECT_EQ(error("{" + a + "," + tensor("b", "[2]", "[3,5]") + "}", 5),
            at + "damaged: 1 bytes before tensor b belong to no tensor");
  for (const char* shape : {"[2.7]", "[\"2\"]", "[true]", "[null]", "2", "[[2]]"})
    EXPECT_NE(
        error("{" + tensor("a", shape, "[0,2]") + "}", 2).find(at + "tensor a: dtype, shape or data_offsets of a"),
        std::string::npos)
        << shape;
  for (const char* offsets : {"[0,2,2]", "[0.0,2]", "[0]", "{}"})
    EXPECT_NE(error("{" + tensor("a", "[2]", offsets) + "}", 2).find("of a wrong type"), std::string::npos) << offsets;
  for (const char* offsets : {"[-2,0]", "[0,18446744073709551615]", "[2,0]"})
    EXPECT_NE(error("{" + tensor("a", "[2]", offsets) + "}", 2).find("do not hold"), std::string::npos) << offsets;
  EXPECT_EQ(error("{" + a + "," + a + "}", 2), at + "damaged: the safetensors header holds \"a\" twice");
  EXPECT_EQ(error(R"({"a":{"dtype":"U8","shape":[2],"shape":[2],"data_offsets":[0,2]}})", 2),
            at + "damaged: the safetensors header holds \"shape\" twice");
  EXPECT_EQ(error(R"({"__metadata__":{"epoch":3}})", 0), at + "__metadata__: epoch is not a string");
  EXPECT_EQ(error(R"({"__metadata__":[]})", 0), at + "__metadata__ is not a JSON object");
  EXPECT_EQ(error(R"({"__metadata__":null})", 0), "no error");
  EXPECT_EQ(error(" {}", 0), at + "damaged: the safetensors header is not a JSON object");
}

// The reference library gives a tensor without elements the offset of the next one, and orders them by size and name.
TEST_F(safetensors, empty_tensors_share_an_offset) {
  const auto entry = [](const std::string& name, int count, int begin) {
    return fmt::format(R"("{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})", name, count, begin,
                       begin + 4 * count);
  };
  const SafeTensors out =
      read_safetensors(raw("{" + entry("a", 1, 0) + "," + entry("z", 0, 0) + "," + entry("m", 0, 4) + "," +
                               entry("b", 2, 4) + "," + entry("c", 0, 12) + "}",
                           12));
  EXPECT_EQ(out.arrays.size(), 5u);
  EXPECT_EQ(out.arrays.at("b").bytes.size(), 8u);
  EXPECT_EQ(out.file, file().string());
}

TEST_F(safetensors, a_failed_write_leaves_the_old_file) {
  SafeTensors good;
  good.arrays["x"] = floats({1}, {1.f});
  write_safetensors(file(), good);
  SafeTensors bad = good;
  bad.arrays["y"] = floats({2}, {1.f});  // shape and bytes disagree
  EXPECT_THROW(write_safetensors(file(), bad), Error);
  EXPECT_EQ(read_safetensors(file()).arrays.size(), 1u);
  EXPECT_THROW(write_safetensors(dir_ / "absent" / "x.safetensors", good), Error);
}

// As a quota may refuse it (EDQUOT): the name alone is missing by then.
TEST_F(safetensors, a_file_that_cannot_be_renamed_is_not_left) {
  std::filesystem::create_directories(dir_ / "folder.safetensors");
  SafeTensors good;
  good.arrays["x"] = floats({1}, {1.f});
  try {
    write_safetensors(dir_ / "folder.safetensors", good);
    ADD_FAILURE() << "renamed to a folder";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("folder.safetensors.partial: cannot rename to its final name: "),
              std::string::npos)
        << e.what();
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ / "folder.safetensors.partial"));
}

TEST_F(safetensors, places_are_where_the_bytes_stand) {
  SafeTensors in;
  in.arrays["a"] = floats({2, 1}, {1.5f, -2.f});
  in.arrays["b"] = floats({3}, {4, 5, 6});
  write_safetensors(file(), in);
  const auto places = safetensors_places(file());
  ASSERT_EQ(places.size(), 2u);
  const TensorPlace& b = places.at("b");
  EXPECT_EQ(b.dtype, "F32");
  EXPECT_EQ(b.shape, (std::vector<int64_t>{3}));
  std::ifstream bytes(file(), std::ios::binary);
  bytes.seekg(static_cast<std::streamoff>(b.first));
  std::vector<float> values(3);
  ASSERT_EQ(b.bytes, 12u);
  ASSERT_TRUE(bytes.read(reinterpret_cast<char*>(values.data()), 12));
  EXPECT_EQ(values, (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(b.first + b.bytes, fs::file_size(file()));
  EXPECT_THROW(safetensors_places(raw("{", 0)), Error);
}

}  // namespace
}  // namespace kith
