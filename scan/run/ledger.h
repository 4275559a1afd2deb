// Which results of a run directory are up to date: records of what each was made from, in stages.json and in the
// origin in the metadata of every weight file (so that weights cannot be exchanged unnoticed).
//
// Cost: the images in memory and the files that a stage reads and wrote are digested once per command each; 0.1 s for
// CIFAR-10 and ResNet-18.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "kernels/core/check.h"
#include "scan/run/provenance.h"

namespace kith {

extern const char* const kOriginKey;  // of the metadata of weights and checkpoints: the origin as JSON

class Ledger {
 public:
  // Keeps references. Nothing is read yet. `parts`: of the data set, where its pixels are not at hand (recorded_images.h).
  Ledger(const RunConfig&, const data::Dataset&, std::filesystem::path dir, std::optional<Origin::Values> parts = {});

  // Called before each checkpoint or result is written: the command has something to keep.
  std::function<void()> before_write = [] {};

  // What the stage's result would be made from: this configuration, these images and the files that the stage reads, as they
  // are at the first call. A stage asks before it reads them.
  const Origin& origin(const std::string& stage);

  enum class State {
    valid,   // the result was made from the inputs as they are now
    stale,   // input files or the stage's own fields have changed, or there is no result: the stage runs again
    refused  // other images or, for pretext, other fields: no command throws that much work away
  };
  struct Standing {
    State state = State::stale;
    std::string why = "";  // stale, refused: what differs or is missing; empty: the stage has not been run
    // stale for want of a file alone: all that the result was made from is as it was, so that the same is made again, in the same
    // arithmetic
    bool as_it_was = false;
    bool inputs_alone = false;  // stale: files that it reads have changed, and nothing else
    // valid: a file was changed since it was written, and is used as it is. Of a stage without a record, of which nothing can be
    // told, require_inputs() warns (lost_records.h).
    std::string warning = "";
  };
  // Error: weights without an origin, or of other bytes than are on record; rows or lists that were cut.
  Standing standing(const std::string& stage);

  // Checks that the result of every earlier stage that `stage` needs is valid. Error, one line: the file, what differs and the
  // stage to run. Returns warnings, each once in the life of this object.
  std::vector<std::string> require_inputs(const std::string& stage);

  Error refusal(const std::string& stage, const Standing&) const;  // what to throw where it is refused

  // What differs between the origin in a file's metadata and this stage's. Error: there is none; names `path`.
  OriginDifference compare(const std::string& stage, const std::map<std::string, std::string>& metadata,
                           const std::filesystem::path& path);

  // begin and finish enclose the writing of a stage's files: a result that was begun and not finished is stale, but for weights,
  // which appear at once and tell their origin. begin returns a warning for each file about to be replaced that something else
  // than the stage changed or wrote; where it was given lists before and is given some again, those are no such file.
  enum class Writes : bool { what_it_made, what_it_was_given };
  std::vector<std::string> begin(const std::string& stage, Writes = Writes::what_it_made);
  void finish(const std::string& stage);
  // Of valid weights that a command wrote which was killed before finish(): the record that it did not write.
  void complete(const std::string& stage);

 private:
  std::filesystem::path path(const std::string& file) const { return dir_ / file; }
  const std::string& digest_of(const std::string& file);  // of this run directory; kept
  std::vector<std::string> changed_files(const StageInfo&);
  std::vector<std::string> needed_files(const StageInfo&) const;
  Origin::Values fields_of(RunConfig, const StageInfo&) const;
  void read_settings();
  OriginDifference difference_of_settings(const StageInfo&) const;
  std::string once(std::string warning);  // empty when it was said before
  void forget(const StageInfo&);          // what is kept of its files

  const RunConfig& config_;
  const data::Dataset& data_;
  std::filesystem::path dir_;
  std::optional<Origin::Values> parts_;  // of the data set, once they were needed
  Origin::Values digests_;               // of files: what was needed so far
  std::map<std::string, Origin> origins_;
  std::set<std::string> said_;
  bool looked_ = false;              // for the configuration of the directory as it was
  std::optional<RunConfig> before_;  // None: it has none
};

}  // namespace kith
