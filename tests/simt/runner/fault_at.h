// A fault of an access: which one.
#pragma once
#include <string>

#include "tests/simt/runner/runtime.h"

namespace simt {

struct FaultAt : Fault {
  FaultAt(const std::string& what, const void* the_site) : Fault(what), site(the_site) {}
  const void* site;  // in the kernel's code, just behind the access
};

}  // namespace simt
