// The training loop of a pretext task: what the pretext stage runs before it writes weights and features.
#pragma once
#include "scan/pretext/task.h"
#include "scan/stages/stages.h"

namespace kith {

// Trains to the last epoch of config.pretext, from the stage's checkpoint where there is one. A step: loss, gradient, the
// optimiser (which leaves the weights alone where the gradient overflows), after_step. Log lines have "loss", "grad_norm"
// and, every knn_every epochs of labelled data, "knn". Errors and interruption as train() (scan/train/trainer.h).
void train_pretext(Session&, PretextTask&, const ImageSource& images);  // those that the task was made with

// pretext.start: RUN/start.safetensors, weights under our names, which kith import --train wrote, become those of the task: its
// whole backbone, and of its heads those that the file has. Error: no such file; names every tensor that is missing, unexpected,
// mis-shaped or not finite.
std::filesystem::path start_path(const std::filesystem::path& run_dir);
void begin_with(const SafeTensors& weights, PretextTask&);

}  // namespace kith
