// Convolutions whose results have the same bits for any number of threads.
//
// oneDNN shares a convolution out by the number of threads. Where threads then hold parts of one sum (the gradient of the
// weights), or where it chooses another order of summing for another number (Winograd's products over many channels), the
// bits follow that number. Such a pass is cut into blocks of the batch by a rule of the shape alone; each block is one
// oneDNN primitive on one thread, and the blocks' gradients of weights are added in f32 in the order of the batch:
//
//   dw = ((dw_0 + dw_1) + dw_2) + ...,   dw_b the gradient from the images of block b
//
// A thread never waits inside of a block, so that one that is held up by another program holds up nobody but the end.
// Cost  4 B written and read per weight and block, and Winograd's transforms of the weights once per block. In a training step
//       of ResNet-18 on two threads no difference was seen on a busy machine, whose noise is a fifth (bench/README.md). A pass
//       in blocks keeps no more threads busy than it has blocks, 2 to 32.
#pragma once
#include <functional>
#include <optional>

#include "nn/device/onednn/conv.h"

namespace kith {

// Images of each block, the last may have fewer; none: the pass is one primitive on all threads.
std::optional<int64_t> conv_block_images(const ConvShape&, Pass, ConvForm);

// The gradient of weights, out = or += that of the batch, from what `part` makes, on one thread, of each block of `images`.
using WeightsOfImages = std::function<void(int64_t first, int64_t count, float* dw)>;
void sum_of_blocks(Context&, const ConvShape&, int64_t images, float* out, Write, const WeightsOfImages& part);

// Makes the plans that run_pass takes; Error where oneDNN does not offer the form.
void plan_pass(OneDnn&, const ConvShape&, Pass, ConvForm, ConvTypes);
void run_pass(OneDnn&, const ConvShape&, Pass, ConvForm, ConvTypes, const PlanData&);

}  // namespace kith
