// Files of a run that cannot be read say what makes them anew.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/core/check.h"

namespace kith {

// Of a file of a run that `stage` wrote and that a short command makes again: "remove it, and kith run, or kith mine, ...".
inline std::string made_anew_by(const std::string& stage) {
  return "remove it, and kith run, or kith " + stage + ", makes it anew";
}

// What `read` returns. Error: its own, and behind it the remedy.
template <class Read>
auto or_remedy(const std::string& remedy, Read&& read) {
  try {
    return std::forward<Read>(read)();
  } catch (const std::runtime_error& e) {
    throw Error(e.what() + ("; " + remedy));
  }
}

}  // namespace kith
