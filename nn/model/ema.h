// The moving average of a model's weights.
#pragma once
#include <string>

#include "nn/model/flat_parameters.h"

namespace kith {

// Exponential moving average of parameters. Buffers (running statistics) are averages already and stay shared.
class Ema {
 public:
  Ema(Context&, const FlatParameters&, float decay);
  void update();
  void swap();  // exchanges the numbers of averages and live weights; call again to undo
  void save(SafeTensors&, const std::string& prefix) const;
  void load(const SafeTensors&, const std::string& prefix);

 private:
  Context& ctx_;
  FlatParameters flat_;
  float decay_;
  Tensor averages_;  // laid out like the weights
};

}  // namespace kith
