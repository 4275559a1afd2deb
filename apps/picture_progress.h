// How far the decoding of picture files is, on standard error: a line that is overwritten on a terminal, else one every half minute;
// nothing where it takes less than a second.
#pragma once
#include <cstdint>
#include <functional>

#include "apps/console.h"

namespace kith {

// For data::Wanted::progress. Throws Interrupted when a stop signal has arrived.
std::function<void(int64_t done, int64_t total)> picture_progress(const ConsoleOptions&);

}  // namespace kith
