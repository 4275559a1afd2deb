// The page of a gallery, of images that are no files.
#include "apps/answers/gallery_page.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/apps/run_fixture.h"

namespace kith::test {
namespace {

namespace fs = std::filesystem;

// Names are printed as kith data info prints them; an empty cluster says so, and why there is no sheet of it.
TEST(GalleryPage, NamesAreWholeAndEmptyClustersSaySo) {
  const fs::path out = fs::path(testing::TempDir()) / ("kith_gallery_" + std::to_string(getpid()));
  fs::create_directories(out);
  std::vector<NamedImages> parts(1);
  parts[0].images = {.count = 1, .height = 2, .width = 2, .channels = 1};
  parts[0].images.pixels = std::vector<uint8_t>(4, 90);
  parts[0].names = {"image 0"};
  write_gallery({.run = "r",
                 .made = {{"Made", "today"}},
                 .command = "kith gallery 'a <b>'",
                 .clusters = {"c\nd", "<e>"},
                 .of_cluster = {{{.part = 0, .index = 0, .confidence = 0.5f}}, {}},
                 .parts = parts,
                 .tile = 16},
                out);
  const std::string page = text_of(out / "index.html");
  EXPECT_NE(page.find("<h2>Cluster 0: c\\x0ad</h2>"), std::string::npos) << page;
  EXPECT_TRUE(fs::exists(out / "cluster_0.png"));
  EXPECT_NE(page.find("<h2>Cluster 1: &lt;e&gt;</h2>"), std::string::npos);
  EXPECT_NE(page.find("Empty: no image is in it, and it has no PNG."), std::string::npos);
  EXPECT_FALSE(fs::exists(out / "cluster_1.png"));
  EXPECT_NE(page.find("<dt>Made</dt><dd>today</dd>"), std::string::npos);
  EXPECT_NE(page.find("<pre>kith gallery &#39;a &lt;b&gt;&#39;</pre>"), std::string::npos);
  EXPECT_NE(unwrapped_help("gallery").find("that is not empty"), std::string::npos);
  fs::remove_all(out);
}

}  // namespace
}  // namespace kith::test
