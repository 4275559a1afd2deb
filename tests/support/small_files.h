// A disk with little room, for tests: no file grows beyond so many bytes.
#pragma once
#include <sys/resource.h>

namespace kith::test {

// Holds for this process and those that it starts. A write that begins below the limit comes back with a part, the next with the
// reason; SIGXFSZ ends who does not ignore it.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallFiles() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;

 private:
  rlimit before_{};
};

}  // namespace kith::test
