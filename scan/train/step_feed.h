// StepFeed: uploads the inputs that change from step to step: the batch's samples, the numbers drawn for each of them, learning
// rate, epoch.
//
// On a device a whole epoch is uploaded at once, and each step copies its record to a fixed address, where a captured step reads
// it. Streamed images come step by step (scan/input/image_stream.h) into one of two slots; LiveStep::images says which, so that
// a captured step reads them where they arrived, without another copy or a second graph. On the CPU nothing is copied.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "nn/tensor/array.h"
#include "scan/input/image_stream.h"
#include "scan/input/views.h"

namespace kith {

// In the memory of the context's device.
struct Step {
  Samples batch;
  std::vector<Samples> drawn;      // what Training::draw drew for each of them
  const LiveStep* live = nullptr;  // epoch, learning rate, number of the optimiser's step
};

class StepFeed {
 public:
  // `draws` numbers are drawn for every sample; an epoch has `steps` steps of `batch` samples. `images`, where steps look at
  // some: samples and what is drawn for them are numbers of its images.
  StepFeed(Context&, int64_t batch, int64_t steps, int draws, const ImageSource* images);

  // order [at least steps * batch]; draw(sample, out[draws]); live(step): the numbers of each step of this epoch, of which
  // `first` is the first to come.
  void begin_epoch(std::span<const int64_t> order, const std::function<void(int64_t, int64_t*)>& draw,
                   const std::function<LiveStep(int64_t)>& live, int64_t first);
  const Step& step() const { return step_; }
  void advance(int64_t step);  // puts the numbers of that step into place: all steps in turn
  void passed();               // the step was enqueued
  bool streams() const { return stream_.has_value(); }

 private:
  int64_t record_bytes() const;
  std::span<const int64_t> samples_of(int64_t step) const;  // the batch's and what was drawn for them, on the host

  Context& ctx_;
  int64_t batch_, steps_;
  int draws_;
  std::vector<std::byte> host_;  // [steps][LiveStep, index, drawn 0, drawn 1, ...]
  Array<std::byte> epoch_, now_;
  int64_t part_bytes_ = 0;  // of the images of a batch
  std::optional<ImageStream> stream_;
  Step step_;
};

}  // namespace kith
