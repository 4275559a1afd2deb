// The differentiable operations. Each stands in a file of its own, forward and backward side by side.
// Shapes: images [N, H, W, C]; matrices [rows, features]; weights as PyTorch names them, stored [out, kh, kw, in] for
// conv.
#pragma once
#include <array>
#include <optional>

#include "kernels/core/types.h"
#include "kernels/selflabel_loss.h"
#include "nn/tensor/array.h"
#include "nn/tensor/tape.h"

namespace kith {

struct ConvSpec {
  int kernel = 3, stride = 1, padding = 1;
};
Var conv2d(Tape&, Var x, Var weight, ConvSpec);  // x NHWC, weight [out, k, k, in]; no bias
struct BatchNormState {                          // buffers of one normalisation
  Tensor running_mean, running_var;
  float eps = 1e-5f, momentum = 0.1f;
};
struct BatchNormOptions {
  bool train = true, relu = false;
  // In train mode: how far the running statistics move towards those of the batch. Empty: by the state's momentum; 0: they
  // are neither read nor written; 1: they become the batch's.
  std::optional<float> momentum = {};
  // In train mode: the operations after this one do not keep its output until their backward, but make it again then, to the bit.
  bool recompute = false;
};
// No backward in eval mode. The residual may not be x itself.
Var batch_norm(Tape&, Var x, Var gamma, Var beta, BatchNormState&, BatchNormOptions, std::optional<Var> residual = {});
struct PoolSpec {
  int kernel = 2, stride = 2, padding = 0;
};
Var max_pool(Tape&, Var x, PoolSpec);
Var average_pool(Tape&, Var x, PoolSpec);                       // padding excluded from the mean
Var global_average_pool(Tape&, Var x);                          // [N, H, W, C] -> [N, C]
Var linear(Tape&, Var x, Var weight, std::optional<Var> bias);  // [rows, in] x [out, in] -> [rows, out]
// The same for several weights of one shape, evaluated as one product -> [heads, rows, out]. Where the weights, or their
// gradients, do not stand one after another in memory, they are copied.
Var linear_heads(Tape&, Var x, std::span<const Var> weights, std::span<const Var> biases);
Var relu(Tape&, Var x);
Var gelu(Tape&, Var x);  // x Phi(x)
Var add(Tape&, Var a, Var b);
Var scale(Tape&, Var x, float factor);
Var reshape(Tape&, Var x, Shape);         // shares storage
Var l2_normalize(Tape&, Var x);           // rows
Var weight_norm(Tape&, Var v, Var gain);  // v [rows, dim], gain [rows] -> gain v / |v|, row by row
Var softmax(Tape&, Var logits);           // rows
Var log_softmax(Tape&, Var logits);       // rows
Var mean(Tape&, Var x);                   // all elements -> []
Var sum(Tape&, Var x);
// Contrastive losses of unit rows (kernels/ntxent.h), one per anchor; in a bf16 run products are of bf16.
Var ntxent(Tape&, Var z, float tau);  // rows 2a, 2a+1 are views of one image -> [rows]
// anchors [M, dim], keys [N, dim] -> [M]. Anchor i is key self_offset + i (kernels::kNoSelf: none), its positive key
// positive[i], of the context's memory; empty: the other view. Keys that are no gradient's business are a constant.
Var contrastive(Tape&, Var anchors, Var keys, const Array<int32_t>& positive, int64_t self_offset, float tau);
enum class NtXentForm : uint8_t { symmetric, one_sided };
Var ntxent_mean(Tape&, Var z, float tau, NtXentForm);  // -> []
struct ScanLossOut {
  Var loss;                     // [heads]
  Tensor consistency, entropy;  // [heads], for the log
};
ScanLossOut scan_loss(Tape&, Var anchors, Var neighbours, float lambda);  // [heads, rows, classes] both
struct TemiOptions {
  float student_temperature = 0.1f, teacher_temperature = 0.1f, beta = 0.6f;
  float momentum = 0.9f;  // of the prior; 1: it stays
};
struct TemiOut {
  Var loss;       // [heads]
  Tensor weight;  // [rows], for the log
};
// Logits [2 rows, heads classes], heads side by side, or [heads, 2 rows, classes]; row rows + i is the other view of row i. The
// prior [heads, classes] starts at 1 / classes and is moved by the teacher's means before it is used. The student alone
// receives a gradient (kernels/temi_loss.h).
TemiOut temi_loss(Tape&, Var student, const Tensor& teacher, Tensor& prior, const TemiOptions&);
struct SelflabelOut {
  Var loss;               // []
  Array<int32_t> target;  // [rows]: class or -1
  Array<int32_t> kept;    // [1]: rows that were; 0 makes loss and gradient 0
};
struct SelflabelOptions {
  float threshold = 0.99f;
  std::span<const int32_t> labels = {};  // [images] on the device, in place of weak, which is empty then: class or -1
  std::span<const int64_t> index = {};   // [rows] on the device, with labels: each row's image
  kernels::SelflabelMean mean = kernels::SelflabelMean::balanced;
  std::span<int32_t> seen = {};  // [classes] on the device: kept rows by target are added; empty: not wanted
};
SelflabelOut selflabel_loss(Tape&, const Tensor& weak, Var strong, const SelflabelOptions&);
// Moves of numbers, none with a gradient. bf16 goes through f32 and back, which loses nothing.
Tensor gather_rows(Context&, const Tensor& from, std::span<const int64_t> index);  // index on the device
// Row i goes to hand i % hands; the hands, of one size, stand one after another.
Tensor deal_rows(Context&, const Tensor& x, int64_t hands);
Var softmax_xent(Tape&, Var logits, const Array<int32_t>& labels);  // labels [rows] -> [rows]
Var cosine_loss(Tape&, Var predictions, const Tensor& targets);     // [rows, dim] both -> [rows]; none for the targets

}  // namespace kith
