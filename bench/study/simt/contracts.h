// What the contracts, kernels/*.h, say of their entries on a device: the lines "// Counted", NAME launches, times.
#pragma once
#include <map>
#include <string>

#include "bench/study/simt/study.h"

namespace kith::study {

struct Promise {
  std::string launches;  // a number; "steps" where as many as the data ask for
  double times = 0;      // bytes asked for, at most, over those that must cross memory
  std::string size;      // times grows by one for each `each` of it; none: empty
  double each = 1;
  std::string contract;  // the file's name: topk.h

  double most(const Sizes& s) const { return times + (size.empty() ? 0 : static_cast<double>(s[size]) / each); }
  std::string times_text() const;  // 2.1 + rows/64
};
Promise parse_promise(const std::string& text);  // "1, 3 + rows / 64" of one entry; Error where it has another form

// By entry, of the contracts beside `cuda_sources`, the folder kernels/cuda.
std::map<std::string, Promise> promises(const std::string& cuda_sources = KITH_CUDA_SOURCES);

// Every entry, with what its contract and the names of source files say of it; its cost is that of the study's own sizes.
std::string list_table();
std::string list_json();

}  // namespace kith::study
