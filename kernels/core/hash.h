// FNV-1a, 64 bits: a name as a number, the same on every machine. For keys of random streams; not against an adversary.
#pragma once
#include <cstdint>
#include <string_view>

namespace kith {

constexpr uint64_t fnv1a(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

static_assert(fnv1a("") == 0xcbf29ce484222325 && fnv1a("foobar") == 0x85944171f73967e8);  // of its reference code

}  // namespace kith
