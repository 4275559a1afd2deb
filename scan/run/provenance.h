// The origin of a stage's result: the content of the images it looks at, the fields that decide it, and the files
// of earlier stages that it reads. Two results of equal origin are the same up to the order of floating-point sums.
//
// Not part of it: labels (but of evaluate), where the images lie, threads, precision and TF32 (weights are f32 always, and a
// run may be finished on another device), the program's version.
#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "scan/config/config_fields.h"

namespace kith {

// A step of a run with a result of its own. `features` belongs to the command pretext: other test images need new features
// but no training.
struct StageInfo {
  std::string name, command;
  Affects affects;                                // its fields
  std::vector<std::string> data;                  // keys of data::parts_of
  std::vector<std::string> inputs, outputs = {};  // files of the run directory
  bool reads(const std::string& file) const;
  bool has_weights() const { return outputs.front().ends_with(".safetensors"); }  // and nothing else
};
std::span<const StageInfo> stage_table();  // in the order of a run
const StageInfo& stage_info(const std::string& name);
bool takes_part(const RunConfig&, const std::string& stage);  // false: the configuration leaves the stage out
// The inputs without what such stages leave; refinement reads the last clustering alone.
std::vector<std::string> inputs_of(const RunConfig&, const StageInfo&);
std::vector<const StageInfo*> stages_before(
    const StageInfo&);  // that its inputs come from, directly or not, in that order

struct Origin {
  using Values = std::map<std::string, std::string>;
  Values data = {};    // part -> content
  Values fields = {};  // name -> value as TOML, where it is not the default: a new field does not age old runs
  Values inputs = {};  // file -> digest
  bool operator==(const Origin&) const = default;
};
nlohmann::json to_json(const Origin&);
Origin origin_from_json(const nlohmann::json&);  // throws nlohmann::json::exception

// The fields of `config` that belong in an origin of this stage.
Origin::Values deciding_fields(const RunConfig& config, Affects);

// How the images are read, by the fields of the section data, which stand among Origin::data: of data.spec the kind alone, as
// "cifar10:...", for where they lie decides nothing.
Origin::Values reading_of(const RunConfig&);

// "mine.k was 20, now 5; the train images were 200 of 8 x 8 x 1, 0123abcd, now ...; features_train.npy has changed": what
// differs, empty where nothing does. An input that is not there any more cannot be told to differ.
struct OriginDifference {
  std::string data, fields, inputs;
  bool any() const { return !(data.empty() && fields.empty() && inputs.empty()); }
  std::string text() const;
};
OriginDifference difference(const Origin& was, const Origin& now);

}  // namespace kith
