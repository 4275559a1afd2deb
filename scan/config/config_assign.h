// From TOML to the fields of a configuration, by the table of config_fields.h.
#pragma once
#include <map>
#include <string>

#include "scan/config/config.h"
#include "scan/config/config_text.h"

namespace kith {

using Places = std::map<std::string, std::string, std::less<>>;  // of the fields that were set: "scan.toml:3"

// Error, one line: where, the field, what was expected and found; for an unknown field the nearest known one.
void set_fields(RunConfig&, const toml::table&, const Source&, Places&);
// The value of an override, source.text; `path` names a field, or a section where the value is a table.
void set_field(RunConfig&, const std::string& path, const toml::node&, const Source&, Places&);

}  // namespace kith
