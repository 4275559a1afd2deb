// A metrics.jsonl that is not this run's: copied from another, or with lines changed by hand. Told by the digest of a stage's lines,
// which its record has; records of earlier versions have none, and tell nothing.
#pragma once
#include <filesystem>
#include <string>

namespace kith {

// "runs/a/metrics.jsonl: not what the stages pretext, cluster logged: of another run, or changed by hand; what is there is shown";
// empty: nothing tells so. Lines that are merely missing are the business of lost_lines(). Error: as read_metrics().
std::string other_lines(const std::filesystem::path& run_dir);

}  // namespace kith
