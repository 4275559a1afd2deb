#include "scan/run/timing.h"

#include <fstream>

#include "data/formats/files.h"

namespace kith {
namespace {
constexpr const char* kTimes = "timing.json";
}

nlohmann::json recorded_seconds(const Session& s) {
  std::ifstream file(s.dir / kTimes);
  nlohmann::json times = nlohmann::json::parse(file, nullptr, false);
  return times.is_object() ? times : nlohmann::json::object();
}

void record_seconds(const Session& s, const std::string& stage, double seconds) {
  s.ledger.before_write();  // without a configuration beside it, nobody would know whose the file is
  nlohmann::json times = recorded_seconds(s);
  times[stage] = seconds;
  data::write_file(s.dir / kTimes, {data::as_bytes(times.dump(2) + "\n")});
}

}  // namespace kith
