// PretextTask: what a run learns its features from, before it clusters. The pretext stage (scan/stages/pretext.cpp) owns the
// loop, the optimiser, checkpoints and files; a task owns its networks and the loss of one step.
//
// To add a task: its file in this folder, its row in task.cpp, its name in PretextKind (scan/config/config.h) and in
// kPretext (scan/config/config_fields.cpp), its source in scan/CMakeLists.txt, its test in tests/scan/pretext.
#pragma once
#include <memory>
#include <span>
#include <string_view>

#include "nn/model/resnet.h"
#include "scan/config/config.h"
#include "scan/train/step_feed.h"

namespace kith {

class PretextTask {
 public:
  virtual ~PretextTask() = default;

  // Trained weights and running statistics: what pretext.safetensors holds, the backbone's under "backbone.".
  virtual StateView state() = 0;
  virtual ResNet& backbone() = 0;

  // The loss of one batch, [], on the tape. Captured and replayed on a device: everything that changes from step to step must
  // come from `step` or from device memory that after_step() updates, and nothing may wait for a result.
  virtual Var loss(Tape&, const Step& step) = 0;
  // Before the first step, where state() was given weights from elsewhere: networks that follow it begin as it is.
  virtual void follow() {}
  // After the optimiser's step, inside the captured step: momentum encoders, queues. `finite` [1], in device memory: 0 where
  // the gradient overflowed and the weights stayed as they were.
  virtual void after_step(const Step&, const int32_t* finite) { static_cast<void>(finite); }

  // [n, columns] in inference mode: the rows whose nearest neighbours are mined. Unit length.
  virtual Var features(Tape&, Var images) = 0;

  // State beyond state() that a checkpoint needs: arrays under names of the task's own.
  virtual void save(SafeTensors&) const {}
  virtual void load(const SafeTensors&) {}
};

// What it learns from.
struct PretextShape {
  int64_t images;
  int height, width;
  int ranks = 1;
  bool whole_norm = false;  // batch norm of the ranks' whole batch
};

struct PretextTaskInfo {
  PretextKind kind;
  std::string_view name;                       // of the field pretext.task
  int passes;                                  // of each image through the trained network, per step
  int passes_forward = 0;                      // of each through one that is not trained
  double (*head_weights)(const RunConfig&);    // trained weights beside the backbone's
  int (*columns)(const RunConfig&) = nullptr;  // of features(); null: ModelConfig::mined()
  double (*beside)(const RunConfig&,
                   double trained) = nullptr;  // f32 numbers kept beside `trained` weights; null: none
  std::string (*fault)(const RunConfig&, const PretextShape&) = nullptr;  // why it can't run; empty: it can
  // The last: the images it learns from (data::Dataset::pretext_images), which must outlive it.
  std::unique_ptr<PretextTask> (*make)(const RunConfig&, const data::Dataset&, const ImageSource&);

  int columns_of(const RunConfig&) const;
  double beside_of(const RunConfig&, double trained) const;
  std::string fault_of(const RunConfig&, const PretextShape&) const;
};

// The backbone of every network of a run.
ResNetConfig backbone_config(const ModelConfig&, const data::Dataset&);

std::span<const PretextTaskInfo> pretext_tasks();
const PretextTaskInfo& pretext_task(PretextKind);

// BYOL's decay of the target network, by the share of steps that are behind: 1 - (1 - momentum) (cos(pi progress) + 1) / 2.
float byol_decay(float momentum, double progress);

// One per file of this folder.
std::unique_ptr<PretextTask> make_simclr(const RunConfig&, const data::Dataset&, const ImageSource&);
std::unique_ptr<PretextTask> make_moco(const RunConfig&, const data::Dataset&, const ImageSource&);
std::unique_ptr<PretextTask> make_byol(const RunConfig&, const data::Dataset&, const ImageSource&);
std::unique_ptr<PretextTask> make_rotnet(const RunConfig&, const data::Dataset&, const ImageSource&);

}  // namespace kith
