// What the fields of a configuration mean, for people.
#pragma once
#include <string>
#include <string_view>

namespace kith {

// One line with the unit: "passes over the train images". Error: no field of that name.
std::string_view field_help(const std::string& field);

// A table of the fields whose names begin with `prefix` ("", "cluster", "cluster.optimizer.lr"): default, what is expected, meaning.
// Where there is none, those whose last part it is ("lambda"). Error where there is none either, naming the nearest.
std::string fields_text(const std::string& prefix);

}  // namespace kith
