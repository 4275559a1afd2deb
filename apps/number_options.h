// Options that are numbers: the range that one is checked against is also in its help, which ends with it: (0 to 4096).
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace kith {

// Digits alone, of a number from `least` to `most`; `unit`: what is counted, where the option's own words do not say it. An empty
// text, such as an unset variable of the shell, is refused.
CLI::Option* whole_number(CLI::Option*, uint64_t least, int64_t most, const std::string& unit = "");

// A share of a whole, a number from 0 to 1; below it where all of it is excluded. Not NaN.
enum class OfAll : uint8_t { included, excluded };
CLI::Option* a_share(CLI::Option*, OfAll);

}  // namespace kith
