// When and on what a result was made, for a page that has to say it by itself.
#pragma once
#include <ctime>
#include <string>
#include <utility>
#include <vector>

namespace kith {

class Context;

std::string processor_name();  // as the system calls it

// "2026-11-30 10:25:32 +0100": local time, and how far it is from UTC.
std::string local_time(std::time_t);

// Facts of a page: when it was made, by which kith, the processor. The time is now; in UTC, that of SOURCE_DATE_EPOCH (seconds
// since 1970) where the environment has it: the same page again.
std::vector<std::pair<std::string, std::string>> made_facts();
// And device, threads and precision (Context::describe()).
std::vector<std::pair<std::string, std::string>> made_facts(const Context&);

}  // namespace kith
