// Memory and disk space that the stages of a run need, estimated before they run. The large arrays only, each by its shape, so that the
// sums are lower bounds: what does not fit by them does not fit.
//
//   training step   per image in it: the input, and the output of every convolution and of every normalisation, which
//                   backward reads; of a backbone that is not trained the two largest
//   weights         4 B each for value, gradient and every moment of the optimiser (bf16: 2 B more); moving average 4 B
//   features        4 B [images, columns], on the device and again on the host, from which files are written
//   neighbours      12 B [images, k]: index and score
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "scan/preflight/work_estimate.h"

namespace kith {

struct MemoryPart {
  std::string what;  // "a training step of 2 x 256 images"
  double bytes = 0;
  std::string advice;  // what makes it smaller: "fewer, --set mine.k=N"
};

// The moment of a stage at which most is needed. On the CPU all of it is host memory.
struct Footprint {
  std::string stage;
  std::vector<MemoryPart> device, host;
  double disk = 0;  // bytes of the files that the stage leaves, and of its checkpoint while it runs
};

// One for each stage that estimate() lists, in the same order.
std::vector<Footprint> footprints(const RunConfig&, const DataShape&, Device, DType precision);
Footprint footprint_of_features(const RunConfig&, const DataShape&, Device, DType precision);  // of estimate_features()

double total_bytes(const std::vector<MemoryPart>&);
std::string size_text(double bytes);  // "3.1 MiB", "12.0 GiB"
// Two sizes side by side, with as many digits as tell one from the other: "0.63 MiB" and "0.58 MiB".
std::pair<std::string, std::string> sizes_apart(double bytes, double other);

}  // namespace kith
