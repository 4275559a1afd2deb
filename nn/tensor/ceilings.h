// Ceilings: what a device reaches at best, measured where a profile is taken; shares of them are what a profile tells.
//
//   bytes      copy of an array larger than any cache, read and written bytes counted each, as contracts count them
//   f32, bf16  floating-point operations of a product of large matrices; f32 obeys MathOptions::tf32, as every product does.
//              On the CPU bf16 is measured where activations are bf16
//
// The best of a few samples; a second at most on a GPU or a few cores.
#pragma once
#include <cstddef>
#include <cstdint>

#include "nn/tensor/context.h"

namespace kith {

struct Ceilings {  // per second; 0: not measured
  double bytes = 0, f32 = 0, bf16 = 0;
};

struct CeilingSizes {
  size_t copy_bytes = size_t{256} << 20;
  int64_t extent = 0;  // of the square product; 0: 4096 on a device, 1024 on the CPU
};

Ceilings measure_ceilings(Context&, const CeilingSizes& = {});

}  // namespace kith
