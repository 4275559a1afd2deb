// What a trained run says of images that it may never have seen.
#pragma once
#include <span>
#include <vector>

#include "nn/tensor/context.h"
#include "scan/run/reporter.h"
#include "scan/run/trained_run.h"

namespace kith {

struct Answer {
  int32_t cluster = 0;
  float confidence = 0;  // its probability
  int32_t runner_up = 0;
  float runner_up_confidence = 0;
  // Euclidean distance of the image's features, at unit length, to the cluster's prototype: the mean of the unit features of the
  // train images of which the network is sure (scan/metrics/prototypes.h). NaN where there is none: a cluster without train
  // images.
  float distance = 0;
};

// The two most probable clusters of one image, the lower first on a tie; no distance.
Answer most_probable(std::span<const float> probabilities);

struct Answers {
  std::vector<Answer> each;
  bool measured =
      false;  // there are prototypes of this network: it is the run's last, which was evaluated and is to tell them
  std::vector<float> probabilities;  // [images, clusters]
};

// Un-augmented images, eval mode. Images of another size are resized as the run resized its own (exact area averages). Error: of
// other channels; of another size where the run took its images as they were (data.size 0). Interrupted when asked to stop.
Answers answers(Context&, Reporter&, const TrainedRun&, const data::Images&);

// Rows of features: of the pretext those that are mined (unit length), of the other stages the backbone's, not normalised.
struct ImageFeatures {
  std::vector<float> values;
  int64_t rows = 0, columns = 0;
};
ImageFeatures features(Context&, Reporter&, const TrainedRun&, const data::Images&);

}  // namespace kith
