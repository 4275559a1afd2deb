// Damaged files of every format that is read but pictures (tests/data/pictures/fuzz.cpp): reading ends with what is in the file or
// with one line, whatever the bytes are. KITH_FUZZ_SECONDS and KITH_FUZZ_SEED as there.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/dataset/picture_list.h"
#include "data/formats/csr.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "data/formats/png.h"
#include "nn/state/safetensors.h"
#include "scan/ablate/grid.h"
#include "scan/config/config.h"
#include "scan/metrics/neighbour_lists.h"
#include "scan/run/metrics_log.h"
#include "tests/support/mutator.h"

namespace kith::test {
namespace {

namespace fs = std::filesystem;

struct Reader {
  std::string name;  // of the file, whose ending counts for some
  File valid;
  std::function<void(const fs::path&)> read;
};

File bytes_of_text(const std::string& text) { return {text.begin(), text.end()}; }

class ReadersFuzz : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "kith_readers_fuzz";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  File written(const std::string& name, const std::function<void(const fs::path&)>& write) const {
    write(folder_ / name);
    File bytes = data::read_file(folder_ / name);
    fs::remove(folder_ / name);
    return bytes;
  }

  std::vector<Reader> readers() const {
    const std::vector<float> values = {1, 2, 3, 4, 5, 6};
    const File npy = written("a.npy", [&](const fs::path& p) { data::write_npy<float>(p, values, {3, 2}); });
    const File npz = written("a.npz", [](const fs::path& p) {
      data::write_csr(p,
                      {.rows = 3, .columns = 3, .starts = {0, 1, 2, 3}, .indices = {1, 2, 0}, .values = {.5, .25, 1}});
    });
    const File tensors = written("a.safetensors", [&](const fs::path& p) {
      SafeTensors file;
      HostArray& array = file.arrays["layer.weight"];
      array.dtype = "F32";
      array.shape = {3, 2};
      const auto raw = std::as_bytes(std::span(values));
      array.bytes.assign(raw.begin(), raw.end());
      file.metadata["made"] = "here";
      write_safetensors(p, file);
    });
    const File png = written("a.png", [](const fs::path& p) {
      data::write_png(p, {.height = 4, .width = 5, .channels = 3, .pixels = std::vector<uint8_t>(60, 9)});
    });
    const std::string labels("\0\0\x08\x01\0\0\0\x02\0\x01", 10);
    for (const char* name : {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"})
      data::write_file(folder_ / name, {data::as_bytes(labels)});
    const std::string idx = std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x03\0\0\0\x03", 16) + std::string(18, 'x');
    data::write_file(folder_ / "t10k-images-idx3-ubyte", {data::as_bytes(idx)});
    return {
        {"a.npy", npy, [](const fs::path& p) { data::read_npy<float>(p); }},
        {"b.npy", npy, [](const fs::path& p) { data::read_npy<int64_t>(p); }},
        {"a.npz", npz, [](const fs::path& p) { data::read_csr(p); }},
        {"b.npz", npz, [](const fs::path& p) { read_neighbour_lists(p, 3, false); }},
        {"a.safetensors", tensors, [](const fs::path& p) { read_safetensors(p), safetensors_places(p); }},
        {"a.png", png, [](const fs::path& p) { data::read_png(p); }},
        {"a.toml", bytes_of_text(preset_text("quick")), [](const fs::path& p) { load_config(p.string(), {}); }},
        {"grid.toml",
         bytes_of_text("data = \"cifar10:d\"\nseeds = [0, 1]\n[axes]\nmine.k = [5, 20]\ncluster.lambda = [1.0, 5.0]\n"),
         [](const fs::path& p) { load_grid(p.string()); }},
        {"a.txt", bytes_of_text("a.png\tcat\nb.png\tdog\nc.jpg\tcat\n"), [](const fs::path& p) { data::list_file(p); }},
        {"a.csv", bytes_of_text("\"a.png\",cat\nb.png,dog\n"), [](const fs::path& p) { data::list_file(p); }},
        {"metrics.jsonl",
         bytes_of_text("{\"stage\":\"pretext\",\"step\":1,\"loss\":2.5}\n{\"finished\":true,\"stage\":\"pretext\"}\n"),
         [](const fs::path& p) { finished_lines(read_metrics(p)); }},
        {"train-images-idx3-ubyte", bytes_of_text(idx),
         [](const fs::path& p) { data::load("mnist:" + p.parent_path().string()); }},
    };
  }

  fs::path folder_;
};

TEST_F(ReadersFuzz, DamagedFilesEndWithTheirContentOrALine) {
  const int64_t seconds = environment("KITH_FUZZ_SECONDS", 0);
  Mutator mutator(static_cast<uint64_t>(environment("KITH_FUZZ_SEED", 1)));
  const std::vector<Reader> all = readers();
  std::map<std::string, int64_t> read;  // files that could still be read
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int64_t rounds = 0;
  for (; seconds > 0 ? std::chrono::steady_clock::now() < end : rounds < 150; ++rounds)
    for (const Reader& reader : all) {
      const File changed = mutator.change(reader.valid, all[mutator.below(all.size())].valid);
      const fs::path path = folder_ / reader.name;
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(changed.data()), static_cast<std::streamsize>(changed.size()));
      try {
        reader.read(path);
        ++read[reader.name];
      } catch (const std::runtime_error& e) {
        const std::string line = e.what();
        EXPECT_FALSE(line.empty()) << reader.name;
        EXPECT_EQ(line.find('\n'), std::string::npos) << reader.name << ": " << line;
      } catch (const std::exception& e) {
        ADD_FAILURE() << reader.name << ": " << e.what() << " (kept as " << folder_ / ("failed." + reader.name) << ")";
        fs::copy_file(path, folder_ / ("failed." + reader.name), fs::copy_options::overwrite_existing);
      }
      fs::remove(path);
    }
  if (seconds > 0)
    for (const auto& [name, count] : read)
      std::printf("%s: %lld damaged files, %lld of them read\n", name.c_str(), static_cast<long long>(rounds),
                  static_cast<long long>(count));
}

}  // namespace
}  // namespace kith::test
