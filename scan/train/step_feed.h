// StepFeed: uploads what changes from step to step: the batch's samples, what was drawn for each of them, learning rate, epoch.
//
// On a device a whole epoch goes up at once and a step is one small copy into place, so that a captured step finds its
// numbers always at the same address. Images that do not lie on the device come step by step (scan/input/image_stream.h):
// their two slots stay where they are, and which of them is this step's is one more of its numbers, LiveStep::images, so that
// a captured step reads them where they arrived, without another copy and without a second graph. On the CPU everything is
// read where it is.
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
