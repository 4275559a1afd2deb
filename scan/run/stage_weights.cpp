#include "scan/run/stage_weights.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

#include "kernels/core/check.h"
#include "scan/run/log_ends.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

void expect_finite(const SafeTensors& weights) {
  for (const auto& [name, array] : weights.arrays) {
    if (array.dtype != "F32") continue;
    const float* values = array.as<float>();
    for (int64_t i = 0; i < array.count(); ++i)
      if (!std::isfinite(values[i]))
        throw Error(fmt::format("{}: {}: element {} is {}, expected finite values", weights.file, name, i, values[i]));
  }
}

template <class Read>
auto with_remedy(const std::filesystem::path& file, const char* command, Read&& read) {
  try {
    return read();
  } catch (const Error& e) {
    if (!std::filesystem::exists(file)) throw;
    throw Error(fmt::format("{}; remove the file, and {} makes it anew, training its stage again", e.what(), command));
  }
}

}  // namespace

SafeTensors read_stage_weights(const std::filesystem::path& file, const char* command) {
  return with_remedy(file, command, [&] {
    SafeTensors weights = read_safetensors(file);
    expect_finite(weights);
    return weights;
  });
}

std::map<std::string, std::string> read_stage_metadata(const std::filesystem::path& file) {
  return with_remedy(file, "kith run", [&] { return read_safetensors_metadata(file); });
}

Error changed_weights(const std::filesystem::path& file, const std::string& stage, const std::string& remedy) {
  return Error(fmt::format("{}: not the bytes that the stage {} wrote: damaged, or changed by hand; restore it, or {}",
                           file.string(), stage, remedy));
}

Error changed_weights(const std::filesystem::path& file, const StageInfo& stage, const RunConfig& config) {
  return changed_weights(file, stage.name,
                         imported(config, stage.name) ? "kith import begins another run with such weights"
                                                      : "remove it, and kith run trains that stage again");
}

Error changed_since_trained(const std::filesystem::path& run_dir, const std::string& what) {
  return Error(fmt::format("{}: changed since the network was trained ({}); restore the file",
                           (run_dir / "config.toml").string(), what));
}

void expect_saved_network(const std::filesystem::path& run_dir, const RunConfig& config) {
  const StageRecords records = read_records(run_dir);
  const auto pretext = records.find("pretext");
  if (pretext == records.end()) return;
  const auto network_of = [](Origin::Values fields) {
    std::erase_if(fields,
                  [](const auto& f) { return !f.first.starts_with("model.") || f.first == "model.projection"; });
    return Origin{.fields = std::move(fields)};
  };
  const OriginDifference d = difference(network_of(pretext->second.origin.fields),
                                        network_of(deciding_fields(config, stage_info("pretext").affects)));
  if (d.any()) throw changed_since_trained(run_dir, d.text());
}

}  // namespace kith
