#include "apps/standard_output.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "kernels/core/check.h"

namespace kith {

void refuse_output(int reason) {
  throw Error(fmt::format("standard output: cannot write: {}", std::strerror(reason != 0 ? reason : EIO)));
}

void flush_output() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) refuse_output(errno);
}

}  // namespace kith
