// The work of a run, estimated before it starts: steps, images through the network, floating-point operations.
#pragma once
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "nn/tensor/tensor.h"
#include "scan/config/config.h"

namespace kith {

// Multiplications and additions of convolutions and products, 2 each, of one image's way through the backbone.
double backbone_flops(const ModelConfig&, int height, int width, int channels);

struct StageEstimate {
  std::string stage;
  int64_t steps = 0;
  double views = 0;  // passes of an image through the backbone, forward
  double flops = 0;  // forward and backward; backward counts twice
};

struct DataShape {
  int64_t train = 0, test = 0;
  int height = 0, width = 0, channels = 0, classes = 0;
  bool labelled = false;  // what is scored
  int64_t unlabelled = 0;
  int64_t pretext() const { return train + unlabelled; }  // images that it learns from
};
DataShape shape_of(const data::Dataset&);
DataShape views_of(DataShape, const AugmentConfig&);  // its sides those of the augmented views

// Assumed throughput of a device. The times that --dry-run prints are computed from it; they are estimates.
struct AssumedRate {
  double flops = 0;    // per second
  std::string source;  // where the number comes from
};
// A share of what products of large matrices reach (nn/tensor/ceilings.h): 63 %, the mean of nine runs of the quick presets, 56 to
// 67 % (bench/results/presets.json, 417 GFLOP/s). product_flops is of f32; steps in bf16 are assumed to take three quarters of
// those in f32, which is between what processors with AMX and with AVX512_BF16 alone are known to need.
AssumedRate cpu_rate(double product_flops, DType precision);
AssumedRate cuda_rate(DType precision, bool tf32);  // of an H200: bf16 as measured once, f32 assumed

std::vector<StageEstimate> estimate(const RunConfig&, const DataShape&);
// "features": what is left of the pretext where its weights are there.
StageEstimate estimate_features(const RunConfig&, const DataShape&);

}  // namespace kith
