// The configuration of a run: plain structs with defaults. A preset is a TOML file with the same names
// ([pretext] epochs = 500), and any field can be overridden: pretext.epochs=20. TrainConfig has no section of its own:
// pretext.epochs, pretext.optimizer.kind, pretext.schedule.lr. A preset may hold sections for one data set:
// [for.fashion-mnist] data.size = 14. scan/config/config_fields.cpp lists every field with its range.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/augment.h"
#include "nn/model/optimizer.h"
#include "nn/model/resnet.h"
#include "nn/model/schedule.h"

namespace kith {

enum class Precision : uint8_t { automatic, f32, bf16 };  // of activations; automatic: apps/device.h
enum class Selection : uint8_t { best_loss, last };       // which epoch (and head) a stage keeps
enum class HeadStart : uint8_t { random, kmeans };        // of cluster heads: scan/stages/head_start.h

// How a stage treats the running statistics of batch norm, with which its network is evaluated and later stages use it. Passes
// of a step normalise with the statistics of their batch, whatever is chosen.
//   moving      every pass moves them, as in the SCAN authors' code: also those of a batch from which nothing is learned
//   reestimate  no pass moves them; after each epoch, and of what the stage keeps, they are taken anew from the un-augmented
//               train images (Wu & Johnson 2021, arXiv:2105.07576: PreciseBN)
//   frozen      they stay as they are
//   weak        the passes of un-augmented views move them, also where nothing is learned
enum class Statistics : uint8_t { moving, reestimate, frozen, weak };

struct DataConfig {
  std::string spec;  // cifar10:DIR
  int size = 0;      // resize to size x size before anything else; 0: native
  int64_t limit_train = 0, limit_unlabelled = 0, limit_test = 0;  // first n images only; 0: all
  bool unlabelled = true;  // false: the pretext does without the data set's unlabelled images
  // Of picture files, folder:DIR and list:FILE, which are decoded to squares of `size` pixels; errors with other data sets.
  std::string background = "white";  // behind transparent pixels: white, black or R,G,B
  bool skip_bad = false;             // files that cannot be decoded are left out and listed; else the first is an error
  double holdout = 0;                // share of the files, by their content, that are the test split; 0: no test split
  std::string classes_file;          // of folder:DIR: names the sub-folders that are wanted, one a line; empty: all
};

struct AugmentConfig {
  kernels::AugmentPolicy policy = kernels::AugmentPolicy::simclr;
  kernels::SimclrPolicy simclr;
  kernels::StrongPolicy strong;
  int size = 0;  // side of the views, that simclr resizes and the others crop to; 0: the images' sides
  int side(int of_images) const { return size > 0 ? size : of_images; }
};

struct ModelConfig {
  int depth = 18;
  int width = 64;
  Stem stem = Stem::cifar;
  int projection = 128;  // dimension of the contrastive features; 0: no projection head, they are the backbone's
  int features() const { return ResNetConfig{.depth = depth, .width = width}.features(); }  // of the backbone
  int mined() const { return projection > 0 ? projection : features(); }  // dimension of the rows that are mined
};

struct TrainConfig {
  int64_t epochs = 1;
  int64_t batch = 128;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
};

// scan/pretext/task.h
enum class PretextKind : uint8_t { simclr, moco, byol, rotnet };

// Of pretext.task = "moco" alone, and of "byol" alone.
struct MocoConfig {
  int64_t queue = 4096;     // keys of earlier batches
  float momentum = 0.999f;  // decay of the moving average that is the key network
  int shards = 1;  // parts of a batch, each normalised by statistics of its own; keys are in other parts than queries
};
struct ByolConfig {
  int hidden = 512;  // width of the two heads' hidden layer
  float momentum =
      0.99f;  // decay of the moving average that is the target network at the start; a cosine takes it to 1
};

struct PretextConfig {
  PretextKind task = PretextKind::simclr;
  TrainConfig train;
  AugmentConfig augment;
  float tau = 0.1f;
  NtXentForm form = NtXentForm::symmetric;
  MocoConfig moco;
  ByolConfig byol;
  Statistics statistics = Statistics::moving;  // or reestimate: once, after the last epoch
  int64_t knn_every = 0;  // epochs between k-NN evaluations (needs labels; report only); 0: at the end only
  std::string weights;    // what kith import took them from; empty: they are trained
  std::string start;      // what kith import --train took the weights from that training begins with; empty: drawn
};

struct MineConfig {
  int64_t k = 20;      // neighbours of the train split; 0: none, an image's partner is another view of itself
  int64_t k_test = 5;  // neighbours of the test split (selection of the SCAN step)
  bool include_self = false;
};

struct ClusterConfig {
  TrainConfig train;
  AugmentConfig augment;
  int classes = 0;  // clusters; 0: the data set's number of classes
  int heads = 1;
  float lambda = 5.f;
  float temperature = 1.f;  // that logits are divided by; the weights that the stage writes have it in them
  HeadStart init = HeadStart::random;
  bool frozen = false;  // true: heads only, on `views` precomputed views of backbone features, standardised
  int views = 3;
  bool update_backbone = true;                     // only with frozen = false
  Statistics statistics = Statistics::reestimate;  // where the backbone is updated; not weak: both views are augmented
  Selection selection = Selection::best_loss;
  std::string weights;  // as pretext.weights
};

struct SelflabelConfig {
  bool enabled = true;
  TrainConfig train;
  AugmentConfig augment;  // of the strong view
  float threshold = 0.99f;
  float share = 0;  // > 0: keep the most confident share of each cluster instead of the threshold
  bool balance = true;
  float ema = 0;  // decay of a moving average of the weights; 0: none
  Statistics statistics = Statistics::reestimate;
};

// Semi-supervised training from reliable labels, after self-labelling, or after the cluster stage where that is not enabled
// (scan/stages/refine.cpp; the defaults are SPICE's).
struct RefineConfig {
  bool enabled = false;
  TrainConfig train{.epochs = 20,
                    .batch = 448,  // images of a step that are guessed
                    .optimizer = {.nesterov = true, .weight_decay = 5e-4f, .decay_all = false},
                    .schedule = {.kind = ScheduleKind::part_cosine, .lr = 0.03, .per_step = true, .milestones = {}}};
  AugmentConfig augment{.policy = kernels::AugmentPolicy::strong, .simclr = {}, .strong = {.operations = 3}};
  AugmentConfig weak{.policy = kernels::AugmentPolicy::simclr,
                     .simclr = {.scale_min = 0.77f, .ratio_min = 1, .ratio_max = 1, .jitter = 0, .grayscale = 0},
                     .strong = {}};
  int64_t labelled = 64;     // reliable images of a step
  int64_t neighbours = 100;  // that are asked, the image itself among them
  float agreement = 0.9f;    // share of them with the image's label, at least
  float confidence = 0.99f;  // probability of the label, above
  int64_t least = 10;        // images of a cluster: its best, where fewer are reliable
  float threshold = 0.95f;   // of a guess, from the weak view
  float weight = 1;          // of the loss of guesses
  float ema = 0.999f;        // decay of a moving average of the weights, which is the result; 0: none
  Statistics statistics = Statistics::reestimate;
};

struct EvaluateConfig {
  int64_t knn_k = 200;
  float knn_tau = 0.1f;
  int kmeans_restarts = 10;
  bool probe = true;  // linear probe on backbone features
};

struct RunConfig {
  std::string preset;
  uint64_t seed = 0;
  int threads = 0;
  Precision precision = Precision::automatic;  // a run directory keeps the one it was begun in
  bool tf32 = false;                // on CUDA, f32 operands of convolutions and products may be rounded to TF32
  bool recompute = false;           // normalisations are computed again in the backward pass rather than kept
  int64_t checkpoint_seconds = 60;  // at most this much work is lost by a power cut
  DataConfig data;
  ModelConfig model;
  PretextConfig pretext;
  MineConfig mine;
  ClusterConfig cluster;
  SelflabelConfig selflabel;
  RefineConfig refine;
  EvaluateConfig evaluate;
};

// Names of the presets that come with the program (they are compiled in), and the text of one, or of a file.
std::vector<std::string> preset_names();
std::string preset_text(const std::string& preset_or_path);

// Preset, or a path to a TOML file; then its section [for.NAME] where NAME is the data set's (the part of data.spec
// before the colon); then each override "section.field=value". Error, one line: the file and line (or the override),
// the field, what was expected and found; for an unknown field the nearest known one.
RunConfig load_config(const std::string& preset_or_path, const std::vector<std::string>& overrides);
// A configuration that was loaded before, with overrides. Error as load_config.
RunConfig with_overrides(RunConfig, const std::vector<std::string>& overrides);
// TOML with every field: load_config of it gives the same configuration back.
std::string to_toml(const RunConfig&);

struct Difference {
  std::string field, left, right;  // values as TOML
};
std::vector<Difference> differences(const RunConfig& left, const RunConfig& right);

}  // namespace kith
