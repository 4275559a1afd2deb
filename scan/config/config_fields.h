// The one description of a configuration's fields: reading, writing, comparing and the messages all follow this table.
//
// Names are dotted paths, as in the TOML file and in overrides. The struct TrainConfig has no section of its own: its
// fields are pretext.epochs, pretext.batch, pretext.optimizer.*, pretext.schedule.* (the learning rate is schedule.lr).
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "scan/config/config.h"

namespace kith {

struct EnumField {
  uint8_t* value;  // every enum of a configuration is a uint8_t counting from 0
  std::span<const std::string_view> names;
};

using FieldValue =
    std::variant<bool*, int*, int64_t*, uint64_t*, float*, double*, std::string*, std::vector<double>*, EnumField>;

struct Range {
  double low, high;
  bool open_low = false, open_high = false;  // the limit itself is excluded
  bool contains(double x) const { return (open_low ? x > low : x >= low) && (open_high ? x < high : x <= high); }
};

// The first stage whose result depends on a field, directly; later ones follow from its files.
enum class Affects : uint8_t {
  nothing,     // no result: where and how fast it is computed, what is reported on the way
  arithmetic,  // all results a little; a run may be finished in another arithmetic, with a warning
  images,      // what is read: the content of the images counts, not this field
  pretext,     // also model and seed: everything follows from it
  mine,
  cluster,
  selflabel,
  refine,
  evaluate,
};

struct Field {
  std::string name;
  FieldValue value;  // points into the configuration that the table was made for
  Range range;       // of numbers, and of each element of a list
  Affects affects;
};

// Sections are contiguous, a section's own fields stand before its subsections.
std::vector<Field> fields(RunConfig&);

Affects affects_of(const std::string& field);  // which must be one

// The field that an override sets: "pretext.epochs" of " pretext.epochs = 20"; without a sign its whole text.
std::string overridden_field(std::string_view text);

std::string describe(const Field&);      // what is expected: "an integer, at least 0"
std::string format_value(const Field&);  // as TOML

}  // namespace kith
