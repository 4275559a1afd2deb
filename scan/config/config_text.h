// The text of a configuration, before anything is known of its fields: reading it, and saying where something stands.
#pragma once
#include <toml++/toml.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith {

// A text of TOML and what messages call it: "scan.toml", or "--set pretext.epochs=x", which is one value and has no lines.
struct Source {
  std::string name, text;
  bool lines = true;
};

// Error, naming the file: not there, a folder, or larger than a configuration can be.
Source read_source(const std::string& path);

// Error with the line: no UTF-8 (a byte-order mark of UTF-8 is passed over, UTF-16 is named), or no TOML.
toml::table parse(const Source&);

// One value on its own, under the key "value". What is no TOML value is a string: data.spec=cifar10:DIR needs no quotes.
toml::table parse_value(const std::string& text);

std::string place(const Source&, const toml::source_region&);  // "scan.toml:3", or the source's name
std::string written(const Source&, const toml::node&);         // as it was written where that is known, in one line
std::string found(const Source&, const toml::node&);           // the same for messages: the beginning of what is long
std::string_view trimmed(std::string_view text);               // without spaces at its ends

}  // namespace kith
