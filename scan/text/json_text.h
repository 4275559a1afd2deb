// JSON as it is written to files and to standard output.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace kith {

// Bytes that are not UTF-8, which a path may hold, become U+FFFD: no run fails at its end because of them.
inline std::string json_text(const nlohmann::json& value, int indent = -1) {
  return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace kith
