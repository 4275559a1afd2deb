#include "scan/config/config_fields.h"

#include <algorithm>
#include <limits>
#include <map>

#include "kernels/augment_params.h"

namespace kith {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr Range kAny{-kInf, kInf}, kNonNegative{0, kInf}, kPositive{0, kInf, true}, kShare{0, 1},
    kPositiveShare{0, 1, true}, kDecay{0, 1, false, true};
constexpr Range at_least(double low) { return {low, kInf}; }
constexpr Range at_most(double high) { return {0, high}; }

// Counts that 32 bits hold where the program keeps them so, and sizes beyond what any machine has.
constexpr double kMostEpochs = 1e9, kMostRows = 1 << 30, kMostThreads = 4096, kWidest = 8192;
// Below, the rounding of a similarity in f32, 2^-24, weighs as much as the temperature.
constexpr Range kTemperature{1e-6, kInf};

constexpr std::string_view kPrecision[] = {"auto", "f32", "bf16"};
constexpr std::string_view kSelection[] = {"best_loss", "last"};
constexpr std::string_view kHeadStart[] = {"random", "kmeans"};
constexpr std::string_view kPretext[] = {"simclr", "moco", "byol", "rotnet"};
constexpr std::string_view kStatistics[] = {"moving", "reestimate", "frozen", "weak"};
constexpr std::string_view kStem[] = {"cifar", "stl", "imagenet"};
constexpr std::string_view kForm[] = {"symmetric", "one_sided"};
constexpr std::string_view kPolicy[] = {"none", "simclr", "strong"};
constexpr std::string_view kOptimizer[] = {"sgd", "adam", "adamw", "lars"};
constexpr std::string_view kSchedule[] = {"constant", "cosine", "step", "part_cosine"};

std::span<const std::string_view> names(Precision) { return kPrecision; }
std::span<const std::string_view> names(PretextKind) { return kPretext; }
std::span<const std::string_view> names(Selection) { return kSelection; }
std::span<const std::string_view> names(HeadStart) { return kHeadStart; }
std::span<const std::string_view> names(Stem) { return kStem; }
std::span<const std::string_view> names(NtXentForm) { return kForm; }
std::span<const std::string_view> names(kernels::AugmentPolicy) { return kPolicy; }
std::span<const std::string_view> names(OptimizerKind) { return kOptimizer; }
std::span<const std::string_view> names(ScheduleKind) { return kSchedule; }

class FieldTable {
 public:
  template <class T>
  void add(const char* name, T& value, Range range = kAny) {
    add(name, value, range, affects_);
  }
  template <class T>
  void add(const char* name, T& value, Range range, Affects affects) {
    if constexpr (std::is_enum_v<T>)
      fields_.push_back({path(name), choice(value, names(value)), range, affects});
    else
      fields_.push_back({path(name), &value, range, affects});
  }
  // An enum of which `choices`, its first values, are possible here.
  template <class T>
  void add_choice(const char* name, T& value, std::span<const std::string_view> choices) {
    fields_.push_back({path(name), choice(value, choices), kAny, affects_});
  }
  // Everything that `body` adds stands below `name`.
  template <class F>
  void section(const char* name, F&& body) {
    const std::string outer = prefix_;
    prefix_ = path(name) + ".";
    body();
    prefix_ = outer;
  }
  // First stage affected by the fields added from here on, unless they say otherwise.
  void affects(Affects affects) { affects_ = affects; }
  std::vector<Field> take() { return std::move(fields_); }

 private:
  template <class T>
  static EnumField choice(T& value, std::span<const std::string_view> choices) {
    static_assert(std::is_same_v<std::underlying_type_t<T>, uint8_t>);
    return {reinterpret_cast<uint8_t*>(&value), choices};
  }
  std::string path(const char* name) const { return prefix_ + name; }
  std::string prefix_;
  Affects affects_ = Affects::nothing;
  std::vector<Field> fields_;
};

void add_train(FieldTable& t, TrainConfig& c) {
  t.add("epochs", c.epochs, at_most(kMostEpochs));
  t.add("batch", c.batch, Range{2, kMostRows});
}

void add_optimizer(FieldTable& t, OptimizerConfig& c) {
  t.section("optimizer", [&] {
    t.add("kind", c.kind);
    t.add("momentum", c.momentum, kDecay);
    t.add("nesterov", c.nesterov);
    t.add("beta1", c.beta1, kDecay);
    t.add("beta2", c.beta2, kDecay);
    t.add("eps", c.eps, kPositive);
    t.add("weight_decay", c.weight_decay, kNonNegative);
    t.add("trust", c.trust, kPositive);
    t.add("decay_all", c.decay_all);
  });
}

void add_schedule(FieldTable& t, ScheduleConfig& c) {
  t.section("schedule", [&] {
    t.add("kind", c.kind);
    t.add("lr", c.lr, kPositive);
    t.add("final_ratio", c.final_ratio, kShare);
    t.add("warmup_epochs", c.warmup_epochs, kNonNegative);
    t.add("per_step", c.per_step);
    t.add("milestones", c.milestones, kNonNegative);
    t.add("gamma", c.gamma, kPositive);
  });
}

void add_augment(FieldTable& t, AugmentConfig& c, const char* name = "augment") {
  t.section(name, [&] {
    t.add("policy", c.policy);
    t.add("size", c.size, at_most(kernels::kMaxSide));
    t.section("simclr", [&] {
      t.add("scale_min", c.simclr.scale_min, kPositiveShare);
      t.add("scale_max", c.simclr.scale_max, kPositiveShare);
      t.add("ratio_min", c.simclr.ratio_min, kPositive);
      t.add("ratio_max", c.simclr.ratio_max, kPositive);
      t.add("flip", c.simclr.flip, kShare);
      t.add("jitter", c.simclr.jitter, kShare);
      t.add("brightness", c.simclr.brightness, kShare);
      t.add("contrast", c.simclr.contrast, kShare);
      t.add("saturation", c.simclr.saturation, kShare);
      t.add("hue", c.simclr.hue, Range{0, 0.5});
      t.add("grayscale", c.simclr.grayscale, kShare);
      t.add("blur", c.simclr.blur, kShare);
    });
    t.section("strong", [&] {
      t.add("flip", c.strong.flip, kShare);
      t.add("operations", c.strong.operations, at_most(kernels::kMaxStrongOperations));
      t.add("cutout", c.strong.cutout, at_most(kernels::kMaxSide));
    });
  });
}

void add_training_sections(FieldTable& t, TrainConfig& train, AugmentConfig& augment) {
  add_optimizer(t, train.optimizer);
  add_schedule(t, train.schedule);
  add_augment(t, augment);
}

void add_pretext(FieldTable& t, PretextConfig& c) {
  t.affects(Affects::pretext);
  t.section("pretext", [&] {
    t.add("task", c.task);
    add_train(t, c.train);
    t.add("tau", c.tau, kTemperature);
    t.add("form", c.form);
    t.add_choice("statistics", c.statistics, std::span(kStatistics).first(2));
    t.add("knn_every", c.knn_every, kNonNegative, Affects::nothing);
    t.add("weights", c.weights);
    t.add("start", c.start);
    t.section("moco", [&] {
      t.add("queue", c.moco.queue, Range{1, kMostRows});
      t.add("momentum", c.moco.momentum, kDecay);
      t.add("shards", c.moco.shards, Range{1, kMostRows});
    });
    t.section("byol", [&] {
      t.add("hidden", c.byol.hidden, Range{1, kWidest});
      t.add("momentum", c.byol.momentum, kDecay);
    });
    add_training_sections(t, c.train, c.augment);
  });
}

void add_mine(FieldTable& t, MineConfig& c) {
  t.affects(Affects::mine);
  t.section("mine", [&] {
    t.add("k", c.k, kNonNegative);
    t.add("k_test", c.k_test, at_least(1));
    t.add("include_self", c.include_self);
  });
}

void add_cluster(FieldTable& t, ClusterConfig& c) {
  t.affects(Affects::cluster);
  t.section("cluster", [&] {
    add_train(t, c.train);
    t.add("classes", c.classes, at_most(kMostRows));
    t.add("heads", c.heads, Range{1, kMostRows});
    t.add("lambda", c.lambda, kNonNegative);
    t.add("temperature", c.temperature, kTemperature);
    t.add("init", c.init);
    t.add("frozen", c.frozen);
    t.add("views", c.views, Range{1, kMostRows});
    t.add("update_backbone", c.update_backbone);
    t.add("selection", c.selection);
    t.add_choice("statistics", c.statistics, std::span(kStatistics).first(3));
    t.add("weights", c.weights);
    add_training_sections(t, c.train, c.augment);
  });
}

void add_selflabel(FieldTable& t, SelflabelConfig& c) {
  t.affects(Affects::selflabel);
  t.section("selflabel", [&] {
    t.add("enabled", c.enabled, kAny, Affects::evaluate);
    add_train(t, c.train);
    t.add("threshold", c.threshold, kShare);
    t.add("share", c.share, kShare);
    t.add("balance", c.balance);
    t.add("ema", c.ema, kShare);
    t.add_choice("statistics", c.statistics, kStatistics);
    add_training_sections(t, c.train, c.augment);
  });
}

void add_refine(FieldTable& t, RefineConfig& c) {
  t.affects(Affects::refine);
  t.section("refine", [&] {
    t.add("enabled", c.enabled, kAny, Affects::evaluate);
    add_train(t, c.train);
    t.add("labelled", c.labelled, Range{2, kMostRows});
    t.add("neighbours", c.neighbours, Range{2, kMostRows});
    t.add("agreement", c.agreement, kShare);
    t.add("confidence", c.confidence, kShare);
    t.add("least", c.least, at_least(1));
    t.add("threshold", c.threshold, kShare);
    t.add("weight", c.weight, kNonNegative);
    t.add("ema", c.ema, kDecay);
    t.add_choice("statistics", c.statistics, std::span(kStatistics).first(3));
    add_training_sections(t, c.train, c.augment);
    add_augment(t, c.weak, "weak");
  });
}

void add_evaluate(FieldTable& t, EvaluateConfig& c) {
  t.affects(Affects::evaluate);
  t.section("evaluate", [&] {
    t.add("knn_k", c.knn_k, at_least(1));
    t.add("knn_tau", c.knn_tau, kTemperature);
    t.add("kmeans_restarts", c.kmeans_restarts, Range{1, 1000});
    t.add("probe", c.probe);
  });
}

}  // namespace

std::vector<Field> fields(RunConfig& c) {
  FieldTable t;
  t.add("preset", c.preset);
  t.add("seed", c.seed, kNonNegative, Affects::pretext);
  t.add("threads", c.threads, at_most(kMostThreads));
  t.add("precision", c.precision, kAny, Affects::arithmetic);
  t.add("tf32", c.tf32, kAny, Affects::arithmetic);
  t.add("recompute", c.recompute);
  t.add("checkpoint_seconds", c.checkpoint_seconds, kNonNegative);
  t.affects(Affects::images);
  t.section("data", [&] {
    t.add("spec", c.data.spec);
    t.add("size", c.data.size, at_most(kernels::kMaxSide));
    t.add("limit_train", c.data.limit_train, kNonNegative);
    t.add("limit_unlabelled", c.data.limit_unlabelled, kNonNegative);
    t.add("limit_test", c.data.limit_test, kNonNegative);
    t.add("unlabelled", c.data.unlabelled);
    t.add("background", c.data.background);
    t.add("skip_bad", c.data.skip_bad);
    t.add("holdout", c.data.holdout, kDecay);
    t.add("classes_file", c.data.classes_file);
  });
  t.affects(Affects::pretext);
  t.section("model", [&] {
    t.add("depth", c.model.depth, at_least(1));
    t.add("width", c.model.width, Range{1, kWidest});
    t.add("stem", c.model.stem);
    t.add("projection", c.model.projection, Range{0, kMostRows});
  });
  add_pretext(t, c.pretext);
  add_mine(t, c.mine);
  add_cluster(t, c.cluster);
  add_selflabel(t, c.selflabel);
  add_refine(t, c.refine);
  add_evaluate(t, c.evaluate);
  return t.take();
}

Affects affects_of(const std::string& name) {
  static const std::map<std::string, Affects> known = [] {
    RunConfig config;
    std::map<std::string, Affects> all;
    for (const Field& field : fields(config)) all[field.name] = field.affects;
    return all;
  }();
  return known.at(name);
}

}  // namespace kith
