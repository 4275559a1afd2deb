// Files of a run that cannot be read say what makes them anew.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/core/check.h"

namespace kith {

// What `read` returns. Error: its own, and behind it the remedy: "remove it, and kith mine makes it anew".
template <class Read>
auto or_remedy(const std::string& remedy, Read&& read) {
  try {
    return std::forward<Read>(read)();
  } catch (const std::runtime_error& e) {
    throw Error(e.what() + ("; " + remedy));
  }
}

}  // namespace kith
