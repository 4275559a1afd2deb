// stages.json: for every stage of a run directory, the origin of its result and the digests of the files it wrote.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "scan/run/provenance.h"

namespace kith {

struct StageRecord {
  Origin origin;
  Origin::Values outputs;  // file -> digest
  Origin::Values given =
      {};  // of files that the stage wrote as others had found them (kith mine --neighbours): also digests
  std::optional<int64_t> lines =
      {};                            // that its command has in the log by then (log_ends.h); none: an earlier version's
  std::optional<int64_t> ends = {};  // of earlier attempts there; none: an earlier version's
  std::optional<std::string> log =
      {};  // digest of these lines (log_ends.h), of a stage that has some; none: an earlier version's
  std::optional<double> seconds =
      {};                  // that it took, as timing.json has it; none: an earlier version's, or it took none
  std::string version;     // of the program
  bool under_way = false;  // its files are being written
};
using StageRecords = std::map<std::string, StageRecord>;

// Whether each stage's result, of those that are there and take part, was made with this configuration, and whole.
bool follow(const StageRecords&, const RunConfig&);

// Whether what a command leaves is there, and of this configuration, as the records of its stages have it.
bool stands(const StageRecords&, const RunConfig&, const std::string& command);

// Whether the evaluation, if there is a record of one, is of the files that are there: no stage was run again since.
bool evaluation_stands(const std::filesystem::path& run_dir, const StageRecords&);

// What the records say of a file that `stage` left. `digest`: of the file as it is.
bool was_changed(const StageRecords&, const std::string& stage, const std::string& file, const std::string& digest);
bool was_evaluated(const StageRecords&, const std::string& file, const std::string& digest);  // as it is
// "FILE: not what the stage STAGE made; used as it is (REMEDY)"
std::string changed_text(const std::string& file, const std::string& stage, const std::string& remedy);

StageRecords read_records(const std::filesystem::path& run_dir);  // none where there is no file; Error: damaged
void write_record(const std::filesystem::path& run_dir, const std::string& stage,
                  const StageRecord&);  // beside the others

}  // namespace kith
