// A run directory whose stages.json has lost what it had of a stage.
#pragma once
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace kith::test {

inline void lose_record(const std::filesystem::path& run_dir, const std::string& stage) {
  nlohmann::json records;
  std::ifstream(run_dir / "stages.json") >> records;
  records.erase(stage);
  std::ofstream(run_dir / "stages.json") << records.dump(2);
}

}  // namespace kith::test
