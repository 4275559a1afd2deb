#include "tests/scan/readers.h"

#include <nlohmann/json.hpp>
#include <span>

#include "data/dataset/dataset.h"
#include "data/dataset/picture_cache.h"
#include "data/dataset/picture_list.h"
#include "data/formats/csr.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "data/formats/png.h"
#include "data/formats/text.h"
#include "nn/device/plans/plan_store.h"
#include "nn/state/safetensors.h"
#include "scan/ablate/grid.h"
#include "scan/ablate/grid_copy.h"
#include "scan/config/config.h"
#include "scan/features/cluster_count.h"
#include "scan/features/run.h"
#include "scan/features/settings.h"
#include "scan/metrics/neighbour_lists.h"
#include "scan/run/metrics_log.h"
#include "scan/run/stage_records.h"
#include "scan/train/checkpoint_file.h"

namespace kith::test {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRecord =
    R"({"mine":{"data":{"train":"0a"},"fields":{"mine.k":"5"},"inputs":{"features_train.npy":"1b"},)"
    R"("outputs":{"neighbours.npy":"2c"},"version":"0.1.0","under_way":false}})";

constexpr int kCandidates[] = {5, 10};

File bytes_of_text(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

std::vector<Reader> readers(const fs::path& folder) {
  const auto written = [&](const std::string& name, const std::function<void(const fs::path&)>& write) {
    write(folder / name);
    File bytes = data::read_file(folder / name);
    fs::remove(folder / name);
    return bytes;
  };
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const File npy = written("a.npy", [&](const fs::path& p) { data::write_npy<float>(p, values, {3, 2}); });
  const File npz = written("a.npz", [](const fs::path& p) {
    data::write_csr(p, {.rows = 3, .columns = 3, .starts = {0, 1, 2, 3}, .indices = {1, 2, 0}, .values = {.5, .25, 1}});
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
  const File checkpoint = written("checkpoint.safetensors", [&](const fs::path& p) {
    data::write_file(p, {tensors});
    write_checkpoint_file(p, read_safetensors(p));
  });
  const File cache = written("pictures.cache", [](const fs::path& p) {
    data::PictureCacheWriter writer(p, 2, 3);
    const std::vector<uint8_t> pixels = {1, 2, 3};
    for (const int64_t image : {0, 1}) writer.write(image, pixels);
    writer.finish({.state = "s", .order = {2, 0}, .train = 1, .bad = {{1, "", "no picture"}}});
  });
  const PlanIdentity device{"d", "1", "2"};
  const fs::path plan_file = PlanStore(device, folder).file();
  const File plans = written(plan_file.filename(), [&](const fs::path&) {
    PlanStore store(device, folder);
    store.put({.shape = {}}, {.engine = 3, .knobs = {{1, 2}}, .workspace = 64, .microseconds = 1.5});
  });
  const nlohmann::json row_run = {
      {"kind", "features"},
      {"features", {"0a"}},
      {"settings",
       to_json(resolve({.method = "temi", .clusters = "5,10", .unit = {}, .standardised = {}, .overrides = {}}))}};
  const File counts = written("clusters.json", [](const fs::path& p) {
    keep_cluster_count(p.parent_path(), {.best = 10, .curve = {{5, .25}, {10, .5}}});
  });
  const std::string labels("\0\0\x08\x01\0\0\0\x02\0\x01", 10);
  for (const char* name : {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"})
    data::write_file(folder / name, {data::as_bytes(labels)});
  const std::string idx = std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x03\0\0\0\x03", 16) + std::string(18, 'x');
  data::write_file(folder / "t10k-images-idx3-ubyte", {data::as_bytes(idx)});
  // The bytes of `idx` in gzip's format, level 9, time 0.
  const std::string packed(
      "\x1f\x8b\x08\0\0\0\0\0\x02\x03\x63\x60\xe0\x60\x66\x60\x60\x60\x02\x62\x10\xcd\x5c\x81\x01\0\xe8\0\xe8\xb2\x22\0"
      "\0\0",
      34);
  data::write_file(folder / "class_names.txt", {data::as_bytes("this\nthat\n")});
  return {
      {"a.npy", npy, [](const fs::path& p) { data::read_npy<float>(p); }},
      {"b.npy", npy, [](const fs::path& p) { data::read_npy<int64_t>(p); }},
      {"a.npz", npz, [](const fs::path& p) { data::read_csr(p); }},
      {"b.npz", npz, [](const fs::path& p) { read_neighbour_lists(p, 3, false); }},
      {"a.safetensors", tensors, [](const fs::path& p) { read_safetensors(p), safetensors_places(p); }},
      {"a.png", png, [](const fs::path& p) { data::read_png(p); }},
      {"a.toml", bytes_of_text(preset_text("quick")), [](const fs::path& p) { load_config(p.string(), {}); }},
      {"grid.toml", bytes_of_text("data = \"cifar10:d\"\nseeds = [0]\n[axes]\nmine.k = [5, 20]\n"),
       [](const fs::path& p) { load_grid(p.string()); }},
      {"kept.toml", bytes_of_text(copy_of_grid("data = \"cifar10:d\"\nseeds = [0]\n[axes]\nmine.k = [5, 20]\n")),
       [](const fs::path& p) { load_grid(p.string()); }},
      {"checkpoint.safetensors", checkpoint, [](const fs::path& p) { read_checkpoint_file(p, "begin anew"); }},
      {"run.json", bytes_of_text(row_run.dump()), [](const fs::path& p) { read_run_file(p.parent_path()); }},
      {"clusters.json", counts, [](const fs::path& p) { lost_cluster_count(p.parent_path(), kCandidates); }},
      {"pictures.cache", cache, [](const fs::path& p) { data::open_picture_cache(p, "s", 3); }},
      {plan_file.filename(), plans, [device](const fs::path& p) { PlanStore(device, p.parent_path()); }},
      {"a.txt", bytes_of_text("a.png\tcat\nb.png\tdog\nc.jpg\tcat\n"), [](const fs::path& p) { data::list_file(p); }},
      {"a.csv", bytes_of_text("\"a.png\",cat\nb.png,dog\n"), [](const fs::path& p) { data::list_file(p); }},
      {"metrics.jsonl",
       bytes_of_text("{\"stage\":\"pretext\",\"step\":1,\"loss\":2.5}\n{\"finished\":true,\"stage\":\"pretext\"}\n"),
       [](const fs::path& p) { finished_lines(read_metrics(p)); }},
      {"stages.json", bytes_of_text(std::string(kRecord)), [](const fs::path& p) { read_records(p.parent_path()); }},
      {"names.txt", bytes_of_text("this\nthat\n"), [](const fs::path& p) { data::read_lines(p); }},
      {"train-images-idx3-ubyte.gz", bytes_of_text(packed),
       [](const fs::path& p) { data::load("mnist:" + p.parent_path().string()); }},
      {"train.bin", bytes_of_text(std::string(2 * 3073, '\1')),
       [](const fs::path& p) { data::load("cifar-format:" + p.parent_path().string()); }},
      {"train-images-idx3-ubyte", bytes_of_text(idx),
       [](const fs::path& p) { data::load("mnist:" + p.parent_path().string()); }},
  };
}

}  // namespace kith::test
