#include "scan/checkpoint.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith {
namespace {

const std::string kHash = "kith.config";  // metadata keys
const std::string kState = "kith.state";

std::filesystem::path checkpoint_path(const Session& s, const std::string& stage) {
  return s.dir / ("checkpoint_" + stage + ".safetensors");
}
std::filesystem::path result_path(const Session& s, const std::string& stage) {
  return s.dir / (stage + ".safetensors");
}

void require_hash(const Session& s, const std::string& stage, const SafeTensors& file,
                  const std::filesystem::path& path) {
  const auto found = file.metadata.find(kHash);
  if (found == file.metadata.end())
    throw Error(fmt::format("{}: not written by a stage of kith (no {} in its metadata)", path.string(), kHash));
  if (found->second != stage_hash(s, stage))
    throw Error(
        fmt::format("{}: made with another configuration or data set; choose another run directory or delete it "
                    "and what followed",
                    path.string()));
}

}  // namespace

void put_section(SafeTensors& file, const std::string& section, const SafeTensors& part) {
  for (const auto& [name, array] : part.arrays) file.arrays[section + "/" + name] = array;
  for (const auto& [name, text] : part.metadata) file.metadata[section + "/" + name] = text;
}

SafeTensors take_section(const SafeTensors& file, const std::string& section) {
  const std::string prefix = section + "/";
  SafeTensors out;
  for (const auto& [name, array] : file.arrays)
    if (name.starts_with(prefix)) out.arrays.emplace(name.substr(prefix.size()), array);
  for (const auto& [name, text] : file.metadata)
    if (name.starts_with(prefix)) out.metadata.emplace(name.substr(prefix.size()), text);
  return out;
}

std::string stage_hash(const Session& s, const std::string& stage) {
  RunConfig config = s.config;
  config.preset.clear();
  config.threads = 0;
  config.checkpoint_seconds = 0;
  config.precision = Precision::automatic;
  config.tf32 = false;
  config.data.spec = config.data.spec.substr(0, config.data.spec.find(':'));
  config.pretext.knn_every = 0;
  config.evaluate = {};
  if (stage != "selflabel") config.selflabel = {};
  if (stage == "pretext") config.cluster = {}, config.mine = {};
  const data::Images& train = s.data.train;
  const std::string text = fmt::format("{}\n{}x{}x{}x{} {} {}", to_toml(config), train.count, train.height, train.width,
                                       train.channels, s.data.test.count, s.data.classes());
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

void write_checkpoint(const Session& s, const std::string& stage, Checkpoint c) {
  c.arrays.metadata[kHash] = stage_hash(s, stage);
  c.arrays.metadata[kState] = c.state.dump();  // doubles are written so that they read back exactly
  write_safetensors(checkpoint_path(s, stage), c.arrays);
}

std::optional<Checkpoint> read_checkpoint(const Session& s, const std::string& stage) {
  const std::filesystem::path path = checkpoint_path(s, stage);
  if (!std::filesystem::exists(path)) return {};
  Checkpoint c{.arrays = read_safetensors(path), .state = {}};
  require_hash(s, stage, c.arrays, path);
  c.state = nlohmann::json::parse(c.arrays.metadata[kState], nullptr, false);
  if (c.state.is_discarded()) throw Error(fmt::format("{}: unreadable {} in its metadata", path.string(), kState));
  return c;
}

void remove_checkpoint(const Session& s, const std::string& stage) {
  std::error_code ignored;  // a checkpoint that stays behind is harmless: the result is looked at first
  std::filesystem::remove(checkpoint_path(s, stage), ignored);
}

bool has_result(const Session& s, const std::string& stage) { return std::filesystem::exists(result_path(s, stage)); }

void write_result(const Session& s, const std::string& stage, SafeTensors weights) {
  weights.metadata[kHash] = stage_hash(s, stage);
  write_safetensors(result_path(s, stage), weights);
}

SafeTensors read_result(const Session& s, const std::string& stage) {
  const std::filesystem::path path = result_path(s, stage);
  if (!std::filesystem::exists(path))
    throw Error(fmt::format("{}: missing; run the {} stage first", path.string(), stage));
  SafeTensors file = read_safetensors(path);
  require_hash(s, stage, file, path);
  return file;
}

}  // namespace kith
