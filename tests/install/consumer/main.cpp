// A user's program: reads a preset and changes one field, through installed headers alone.
#include <cstdio>

#include "kernels/ntxent.h"
#include "nn/tensor/tensor.h"
#include "scan/config/config.h"

int main() {
  const kith::RunConfig config = kith::load_config("quick", {"pretext.epochs=3"});
  const kith::Cost cost =
      kith::kernels::ntxent_forward_cost(2.0 * static_cast<double>(config.pretext.train.batch), 128);
  std::printf("%s: %lld epochs, %g flop\n", config.preset.c_str(), static_cast<long long>(config.pretext.train.epochs),
              cost.flops);
  return config.pretext.train.epochs == 3 ? 0 : 1;
}
