#include "scan/config/field_help.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "scan/config/config_fields.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

using Help = std::pair<std::string_view, std::string_view>;

// Whole names, or the ends of those that several stages have.
constexpr auto kHelp = std::to_array<Help>({
    {"preset", "what the configuration began with: a preset of kith presets, or a TOML file"},
    {"seed", "of all randomness"},
    {"threads", "0: as many as may run; no result depends on it"},
    {"precision", "of activations; auto: bf16 where the device or processor multiplies it, else f32"},
    {"tf32", "rounds the f32 operands of products on CUDA"},
    {"recompute",
     "a training step computes normalisations twice and takes about two thirds of the memory; the results are the "
     "same"},
    {"checkpoint_seconds", "seconds between checkpoints: what a power cut may lose"},
    {"data.spec", "data set, KIND:DIR"},
    {"data.size",
     "side in pixels that images are resized to before anything else; 0: their own; folder: and list: want 1 to 1024"},
    {"data.limit_train", "so many train images alone: the first; of picture files, spread over all; 0: all"},
    {"data.limit_unlabelled", "the first so many unlabelled images alone; 0: all"},
    {"data.limit_test", "so many test images alone: the first; of picture files, spread over all; 0: all"},
    {"data.unlabelled", "the pretext learns from the data set's unlabelled images too"},
    {"data.background", "behind transparent pixels of pictures: white, black or R,G,B"},
    {"data.skip_bad", "picture files that cannot be read are left out and listed; else the first is an error"},
    {"data.holdout", "share of the picture files, by content, that is the test split; 0: none"},
    {"data.classes_file", "file that names the wanted sub-folders, one a line; empty: all"},
    {"model.depth", "layers of the ResNet: 18, 34 or 50"},
    {"model.width", "channels of the first stage; the later have 2, 4 and 8 times as many"},
    {"model.stem", "first layers, for images of about 32 (cifar), 96 (stl) or 224 pixels (imagenet)"},
    {"model.projection", "dimension of the contrastive features; 0: no head, the backbone's are mined"},
    {"pretext.task", "what the backbone learns from"},
    {"pretext.tau", "temperature of NT-Xent and MoCo"},
    {"pretext.form", "NT-Xent with both views as anchors, or with one (the authors' code)"},
    {"pretext.statistics", "of batch norm: moving, or taken anew from plain images at the end"},
    {"pretext.knn_every", "epochs between lines of k-NN accuracy, which need labels; 0: at the end"},
    {"pretext.weights", "the file that kith import took the weights from; set by it"},
    {"pretext.start", "the file that kith import --train began the weights from; set by it"},
    {"pretext.moco.queue", "keys of earlier batches that are negatives"},
    {"pretext.moco.momentum", "decay of the moving average that makes the keys"},
    {"pretext.moco.shards", "parts of a batch, each with statistics of its own"},
    {"pretext.byol.hidden", "width of the two heads' hidden layer"},
    {"pretext.byol.momentum", "decay of the moving average that is the target, at the start; 1 at the end"},
    {"mine.k", "neighbours of a train image; 0: none, another view of it takes their place"},
    {"mine.k_test", "neighbours of a test image, for the validation loss"},
    {"mine.include_self", "an image is among its own neighbours, one more than k"},
    {"cluster.classes", "clusters; 0: as many as the data set has classes"},
    {"cluster.heads", "heads that learn side by side; the one of least validation loss is kept"},
    {"cluster.lambda", "weight of the entropy of the mean prediction, which keeps clusters from emptying"},
    {"cluster.temperature", "logits are divided by it"},
    {"cluster.init", "heads begin at random, or as prototypes of k-means"},
    {"cluster.frozen", "heads alone learn, on features that are computed once"},
    {"cluster.views", "augmented views whose features are computed, where frozen"},
    {"cluster.update_backbone", "the backbone learns with the heads, where not frozen"},
    {"cluster.selection", "what is kept: the head and epoch of least validation loss, or the last"},
    {"cluster.weights", "the file that kith import took the weights from; set by it"},
    {"selflabel.enabled", "the stage runs"},
    {"selflabel.threshold", "images whose confidence is above it are learned from, where share is 0"},
    {"selflabel.share", "the most confident share of each cluster in a batch is learned from; 0: by threshold"},
    {"selflabel.balance", "weighs clusters by the inverse of their number in the batch"},
    {"selflabel.ema", "decay of a moving average of the weights that is kept in their place; 0: none"},
    {"refine.enabled", "the stage runs"},
    {"refine.labelled", "reliable images of a step"},
    {"refine.neighbours", "nearest images that are asked about a label"},
    {"refine.agreement", "share of them that must share it"},
    {"refine.confidence", "of the network in it, at least"},
    {"refine.least", "images of a cluster that are taken where it has fewer reliable ones: the best"},
    {"refine.threshold", "confidence above which a weak view's prediction teaches the strong view"},
    {"refine.weight", "of the loss of unlabelled images"},
    {"refine.ema", "decay of the moving average of the weights that is kept"},
    {"evaluate.knn_k", "neighbours of the k-NN classifier that judges the pretext"},
    {"evaluate.knn_tau", "temperature of their votes"},
    {"evaluate.kmeans_restarts", "seedings of the k-means baselines; the best by inertia is kept"},
    {"evaluate.probe", "a linear classifier on the features is fitted, as a measure of the pretext"},
    {".epochs", "passes over the train images"},
    {".batch", "images of a step"},
    {".statistics", "of batch norm: moving with each pass, taken anew from plain images, frozen, or weak views'"},
    {".optimizer.kind", "how gradients become steps"},
    {".optimizer.momentum", "of sgd and lars"},
    {".optimizer.nesterov", "of sgd: looks ahead"},
    {".optimizer.beta1", "of adam: decay of the mean of gradients"},
    {".optimizer.beta2", "of adam: decay of the mean of their squares"},
    {".optimizer.eps", "of adam: added to the root of the second"},
    {".optimizer.weight_decay", "added to the gradient; of adamw taken off the weight beside the step"},
    {".optimizer.trust", "of lars: step of a layer in units of its weights' length"},
    {".optimizer.decay_all", "biases and scales of norms decay too"},
    {".schedule.kind", "how the learning rate changes over the epochs"},
    {".schedule.lr", "learning rate at its highest"},
    {".schedule.final_ratio", "of cosine: rate at the end, in units of lr"},
    {".schedule.warmup_epochs", "epochs over which the rate rises from 0"},
    {".schedule.per_step", "the rate changes with every step, not every epoch"},
    {".schedule.milestones", "of step: epochs at which the rate is multiplied by gamma"},
    {".schedule.gamma", "of step: the factor"},
    {".policy", "how images become views: not at all, SimCLR's crops and colours, or RandAugment and cutout"},
    {".size", "side of the views in pixels; 0: the images'"},
    {".simclr.scale_min", "least area of a crop, as a share of the image's"},
    {".simclr.scale_max", "largest area of a crop"},
    {".simclr.ratio_min", "least width of a crop over its height"},
    {".simclr.ratio_max", "largest width over height"},
    {".flip", "probability of a mirror image"},
    {".simclr.jitter", "probability that colours change"},
    {".simclr.brightness", "largest change of brightness, as a share"},
    {".simclr.contrast", "largest change of contrast"},
    {".simclr.saturation", "largest change of saturation"},
    {".simclr.hue", "largest turn of the hue, in turns"},
    {".simclr.grayscale", "probability that colours are lost"},
    {".simclr.blur", "probability of a Gaussian blur"},
    {".strong.operations", "operations of RandAugment, one after the other"},
    {".strong.cutout", "side in pixels of the square that is grayed out; 0: none"},
});

std::string shown_default(const Field& field) {
  const std::string value = format_value(field);
  return value.size() <= 14 ? value : value.substr(0, 11) + "...";
}

// Fields, the sections around them, and their last parts: what may be asked for.
std::vector<std::string> askable(RunConfig& config) {
  std::set<std::string> names;
  for (const Field& field : fields(config)) {
    names.insert(field.name);
    for (size_t dot = field.name.find('.'); dot != std::string::npos; dot = field.name.find('.', dot + 1)) {
      names.insert(field.name.substr(0, dot));
      names.insert(field.name.substr(dot + 1));
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace

std::string_view field_help(const std::string& field) {
  const auto whole = std::ranges::find(kHelp, std::string_view(field), &Help::first);
  if (whole != kHelp.end()) return whole->second;
  for (const auto& [name, text] : kHelp)
    if (name.starts_with('.') && std::string_view(field).ends_with(name)) return text;
  throw Error(fmt::format("{}: no such field", field));
}

std::string fields_text(const std::string& asked) {
  RunConfig config;
  const std::string prefix = asked.ends_with('.') ? asked.substr(0, asked.size() - 1) : asked;
  const auto listed = [&](const std::function<bool(const std::string&)>& wanted) {
    std::string out;
    for (const Field& field : fields(config))
      if (wanted(field.name))
        out += wrapped(fmt::format("{:<34} {:<14} {}", field.name, shown_default(field), describe(field)), 50) + "\n" +
               wrapped(fmt::format("    {}", field_help(field.name)), 4) + "\n";
    return out;
  };
  std::string out = listed(
      [&](const std::string& name) { return prefix.empty() || name == prefix || name.starts_with(prefix + "."); });
  if (out.empty()) out = listed([&](const std::string& name) { return name.ends_with("." + prefix); });
  if (!out.empty()) return out;
  throw Error(
      fmt::format("no field or section {}{}; sections are data, model, pretext, mine, cluster, selflabel, refine, "
                  "evaluate, and parts of them, such as cluster.optimizer",
                  asked, data::nearest_hint(asked, askable(config))));
}

}  // namespace kith
