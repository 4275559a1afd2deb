// What counts as the same content.
#include "data/dataset/digest.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

namespace kith::data {
namespace {

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// The value that the specification of XXH3 gives for no bytes at all.
TEST(Digest, IsXxh3Of128Bits) { EXPECT_EQ(digest({}), "99aa06d3014798d86001c324468d497f"); }

TEST(Digest, OfAFileIsThatOfItsBytes) {
  const std::filesystem::path path = testing::TempDir() + "kith_digest_file";
  for (const size_t size : {size_t{0}, size_t{5}, size_t{1} << 20, (size_t{1} << 20) + 1}) {
    std::string text(size, 'x');
    for (size_t i = 0; i < size; i += 7) text[i] = static_cast<char>(i);
    std::ofstream(path, std::ios::binary) << text;
    EXPECT_EQ(digest_of_file(path), digest(bytes_of(text))) << size;
  }
  std::filesystem::remove(path);
  EXPECT_THROW(digest_of_file(path), std::runtime_error);
}

Dataset example() {
  Dataset data{.spec = "a:b", .class_names = {"x", "yz"}};
  data.edit(Role::train) = {
      .count = 2, .height = 4, .width = 2, .channels = 1, .pixels = std::vector<uint8_t>(16, 7), .labels = {0, 1}};
  data.edit(Role::test) = {
      .count = 1, .height = 4, .width = 2, .channels = 1, .pixels = std::vector<uint8_t>(8, 9), .labels = {1}};
  return data;
}

void change_pixel(Images& images, size_t at) {
  std::vector<uint8_t> pixels(images.pixels.begin(), images.pixels.end());
  pixels[at] ^= 1;
  images.pixels = std::move(pixels);
}

// The parts that differ from the example's after a change.
std::vector<std::string> changed_by(const std::function<void(Dataset&)>& change) {
  Dataset data = example();
  change(data);
  const auto was = parts_of(example()), now = parts_of(data);
  std::vector<std::string> changed;
  for (const auto& [part, content] : was)
    if (now.at(part) != content) changed.push_back(part);
  return changed;
}

TEST(Digest, TellsThePartsOfADataSetApart) {
  using Parts = std::vector<std::string>;
  EXPECT_EQ(changed_by([](Dataset& d) { d.spec = "elsewhere"; }), Parts{});
  EXPECT_EQ(changed_by([](Dataset& d) { change_pixel(d.edit(Role::train), 15); }), Parts{"train images"});
  EXPECT_EQ(changed_by([](Dataset& d) { change_pixel(d.edit(Role::test), 0); }), Parts{"test images"});
  EXPECT_EQ(changed_by([](Dataset& d) { std::swap(d.edit(Role::train).height, d.edit(Role::train).width); }),
            Parts{"train images"});
  EXPECT_EQ(changed_by([](Dataset& d) { d.edit(Role::train).labels = {1, 0}; }), Parts{"train labels"});
  EXPECT_EQ(changed_by([](Dataset& d) { d.edit(Role::test).labels.clear(); }), Parts{"test labels"});
  EXPECT_EQ(changed_by([](Dataset& d) { d.class_names = {"xy", "z"}; }), Parts{"class names"});
  EXPECT_EQ(changed_by([](Dataset& d) { d.mean[1] = 0.1f; }), Parts{"normalisation"});
  Dataset more = example();
  EXPECT_FALSE(parts_of(more).contains("unlabelled images"));  // so that a run without such a split is as it was
  more.edit(Role::unlabelled) = more.test();
  EXPECT_EQ(parts_of(more).at("unlabelled images"), parts_of(more).at("test images"));
}

TEST(Digest, ShowsTheShapeOfASplit) {
  EXPECT_TRUE(parts_of(example()).at("train images").starts_with("2 of 4 x 2 x 1, "));
  EXPECT_EQ(parts_of({}).at("test images"), "none");
}

}  // namespace
}  // namespace kith::data
