// What a clustering of features is asked for: the method, its settings, all that decides its result beside the features.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kith {

enum class RowMethod : uint8_t { kmeans, scan, turtle, temi };
std::string name_of(RowMethod);
std::vector<std::string> row_method_names();
RowMethod row_method(const std::string& name);  // Error: unknown

// One number that a method can be told, with its default and range.
struct RowSetting {
  const char* name;
  double value, least, most;
  bool whole;  // an integer
  const char* about;
};
std::span<const RowSetting> settings_of(RowMethod);

// How rows are treated before a method sees them (scan/features/rows.h). Defaults: k-means on unit rows; SCAN's linear heads on
// standardised columns of unit rows; TURTLE and TEMI on rows as they are stored, as their authors.
struct RowSettings {
  RowMethod method = RowMethod::scan;
  std::vector<int> clusters;  // one: so many; several: the one of largest silhouette (scan/features/cluster_count.h)
  uint64_t seed = 0;
  bool unit = true, standardised = false;
  std::map<std::string, double> values;  // every setting of the method

  double value(const std::string& name) const { return values.at(name); }
  int64_t whole(const std::string& name) const { return static_cast<int64_t>(values.at(name)); }
};

struct RowRequest {
  std::string method, clusters;  // "10", "5,10,20" or "auto": 2 to 50, spaced by a fifth or so
  uint64_t seed = 0;
  std::optional<bool> unit, standardised;  // none: the method's default
  std::vector<std::string> overrides;      // "epochs=50"
};
constexpr int kMostClusters = 1000000;
std::vector<int> cluster_numbers(const std::string& clusters);  // Error: none
// Error, one line: an unknown method or setting, a number out of range, cluster numbers that are none.
RowSettings resolve(const RowRequest&);

// "kith cluster --features ... --out ...", with what differs from the method's defaults; words that a shell would change are quoted.
struct RowCommand {
  std::vector<std::string> features;  // files
  std::string labels, out;            // labels: may be empty
};
std::string row_command(const RowSettings&, const RowCommand&);

nlohmann::json to_json(const RowSettings&);
// Throws std::exception where to_json wrote no such thing: a setting is missing, unknown or out of its range, no cluster is asked for.
RowSettings row_settings_from(const nlohmann::json&);

}  // namespace kith
