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
  Samples batch;  // of several ranks: this one's share
  std::vector<Samples>
      drawn;  // what Training::draw drew for each of them; or, where it drew for fewer, a share of those
  const LiveStep* live = nullptr;  // epoch, learning rate, number of the optimiser's step
  // Of all ranks, in the order of their shares, and where those begin and end.
  std::span<const int64_t> whole = {};
  std::vector<int64_t> bounds = {};
  std::vector<std::span<const int64_t>> drawn_whole = {};
  std::vector<int64_t> drawn_bounds = {};

  std::vector<int64_t> bounds_of_views(int64_t views) const;  // where a sample is so many rows
};

class StepFeed {
 public:
  // An epoch has `steps` steps of `batch` samples, and `draws` numbers are drawn for each of the first `drawn_for` of those; of
  // either, each of the context's ranks has its share (share_bounds). `images`, where steps look at some: samples and what is
  // drawn for them are numbers of its images.
  StepFeed(Context&, int64_t batch, int64_t steps, int draws, int64_t drawn_for, const ImageSource* images);

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
  int64_t numbers() const { return batch_ + draws_ * drawn_for_; }  // of a step

  Context& ctx_;
  int64_t batch_, steps_;
  int draws_;
  int64_t drawn_for_;
  std::vector<std::byte> host_;  // [steps][LiveStep, index, drawn 0, drawn 1, ...]
  Array<std::byte> epoch_, now_;
  int64_t image_bytes_ = 0;  // where images are streamed
  std::optional<ImageStream> stream_;
  Step step_;
};

}  // namespace kith
