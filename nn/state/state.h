// The state of a model, and tensors to and from files: the one place that knows their layouts differ.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "nn/state/safetensors.h"
#include "nn/tensor/tape.h"

namespace kith {

struct NamedParameter {
  std::string name;
  Parameter* parameter;
  bool is_matrix;  // false for biases and normalisation weights (LARS adapts only true ones)
};
struct NamedBuffer {
  std::string name;
  Tensor* tensor;
};

struct StateView {  // what a model is made of; pointers stay valid while the model lives
  std::vector<NamedParameter> parameters;
  std::vector<NamedBuffer> buffers;                        // running_mean, running_var
  std::vector<std::pair<std::string, int64_t*>> counters;  // num_batches_tracked
};

// Weight files. Layouts are PyTorch's in files (conv [out, in, k, k]), ours in memory.
SafeTensors save_state(const StateView&);
// Strict: Error names the file and lists every missing, unexpected, mis-shaped and not finite tensor (num_batches_tracked
// included). All or nothing.
void load_state(const StateView&, const SafeTensors&);

// How PyTorch writes it: convolution weights [out, k, k, in] become [out, in, k, k]; other ranks stay.
HostArray to_torch(const Tensor&);
Shape torch_shape(const Shape&);
void from_torch(const HostArray&, const Tensor&);  // shapes checked before

// As we hold it (optimiser state, averages).
HostArray to_array(const Tensor&);
void from_array(const HostArray&, const Tensor&);

// Collects every disagreement between a model and a file, then throws one Error that names the file and them all.
class StrictReader {
 public:
  StrictReader(const SafeTensors& file, std::string what) : file_(file), what_(std::move(what)) {}
  // The array of that name, or null (noted) where it is missing, of another dtype or shape, or F32 and not finite.
  const HostArray* expect(const std::string& name, const std::string& dtype, const Shape& shape);
  // Names in the file under `prefix` that were not expected are noted; then Error when anything was.
  void finish(const std::string& prefix);

 private:
  std::string called(const std::string& name) const;
  const SafeTensors& file_;
  std::string what_;
  std::vector<std::string> expected_, problems_;
};

}  // namespace kith
