// The loss of a step of each task that follows another network or turns images, against the same written out: networks made from
// the task's seeds, sums in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "nn/model/heads.h"
#include "nn/model/initialise.h"
#include "scan/input/views.h"
#include "scan/pretext/task.h"
#include "scan/train/sampler.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using namespace test;

constexpr int64_t kBatch = 8;

RunConfig config_of(PretextKind kind) {
  RunConfig c = tiny_config();
  c.pretext.task = kind;
  c.pretext.train.batch = kBatch;
  c.pretext.moco = {.queue = 6, .momentum = 0.75f, .shards = 2};
  c.pretext.byol = {.hidden = 12, .momentum = 0.5f};
  c.pretext.augment.size = 8;
  return c;
}

// A task on tiny data, and a step of its first images.
struct Fixture {
  explicit Fixture(PretextKind kind) : config(config_of(kind)), index(kBatch) {
    std::iota(index.begin(), index.end(), 3);
    task = pretext_task(kind).make(config, data, images);
  }
  uint64_t seed(const char* what) const { return seed_of(config.seed, std::string("pretext/") + what); }
  ResNet backbone() { return {ctx, backbone_config(config.model, data), seed("backbone")}; }
  Tensor views(uint32_t first) {
    return Views(images, data, config.pretext.augment, seed("augment"))({.index = index}, &live,
                                                                        {.count = 1, .first = first});
  }
  double loss() {
    Tape tape(ctx);
    return task->loss(tape, step).value().to_host()[0];
  }
  std::vector<float> saved(const std::string& name) const {
    SafeTensors file;
    task->save(file);
    const HostArray& a = file.arrays.at(name);
    return {a.as<float>(), a.as<float>() + a.count()};
  }

  Context ctx{{.threads = 1}};
  RunConfig config;
  data::Dataset data = striped_data(3);
  ImageSource images{ctx, data.pretext_images(), Residency::automatic};
  std::vector<int64_t> index;
  LiveStep live{.lr = 0, .epoch = 2, .step = 1, .images = 0, .decay = 0.875f};
  Step step{.batch = {.index = index}, .drawn = {}, .live = &live};
  std::unique_ptr<PretextTask> task;
};

double dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

// The rows of some images in one pass.
std::vector<float> passed(Context& ctx, const Tensor& images, const std::vector<int64_t>& rows,
                          const std::function<Var(Tape&, Var)>& network) {
  Shape shape = images.shape();
  shape[0] = static_cast<int64_t>(rows.size());
  const Tensor part = ctx.empty(shape);
  for (size_t i = 0; i < rows.size(); ++i) part.part(static_cast<int64_t>(i), 1).copy_from(images.part(rows[i], 1));
  Tape tape(ctx, Tape::Mode::inference);
  return network(tape, tape.constant(part)).value().to_host();
}

// Activations of a few layers in f32 with sums of some hundred terms; a loss is of size 1.
constexpr double kLossTolerance = 1e-4;

TEST(PretextLosses, MocoTellsEachKeyFromTheOthersAndTheQueue) {
  Fixture f(PretextKind::moco);
  const int64_t dim = f.config.model.projection;
  ResNet backbone = f.backbone();
  ProjectionHead head(f.ctx, backbone.config().features(), static_cast<int>(dim), f.seed("head"));
  const auto network = [&](Tape& tape, Var x) { return head(tape, backbone(tape, x, true)); };
  const Tensor query_views = f.views(0), key_views = f.views(1);
  std::vector<float> queries(kBatch * dim), keys(kBatch * dim);
  for (int64_t shard = 0; shard < 2; ++shard) {
    std::vector<int64_t> half, dealt;  // queries 0 1 2 3 | 4 5 6 7, keys 0 2 4 6 | 1 3 5 7
    for (int64_t i = 0; i < kBatch / 2; ++i) half.push_back(4 * shard + i), dealt.push_back(2 * i + shard);
    const std::vector<float> q = passed(f.ctx, query_views, half, network),
                             k = passed(f.ctx, key_views, dealt, network);
    for (int64_t i = 0; i < kBatch / 2; ++i) {
      std::copy_n(&q[i * dim], dim, &queries[half[i] * dim]);
      std::copy_n(&k[i * dim], dim, &keys[dealt[i] * dim]);
    }
  }
  const std::vector<float> queue = f.saved("queue");
  ASSERT_EQ(queue.size(), static_cast<size_t>(6 * dim));
  double want = 0;
  for (int64_t i = 0; i < kBatch; ++i) {
    const auto score = [&](const std::vector<float>& rows, int64_t k) {
      return dot(&queries[i * dim], &rows[k * dim], dim) / f.config.pretext.tau;
    };
    double sum = 0;
    for (int64_t k = 0; k < kBatch; ++k) sum += std::exp(score(keys, k));
    for (int64_t k = 0; k < 6; ++k) sum += std::exp(score(queue, k));
    want += (std::log(sum) - score(keys, i)) / kBatch;
  }
  EXPECT_NEAR(f.loss(), want, kLossTolerance);
}

TEST(PretextLosses, MocoQueuesTheNewestKeysFirstAndFollows) {
  Fixture f(PretextKind::moco);
  f.config.pretext.moco.queue = 20;  // read when the task is made
  f.task = pretext_task(PretextKind::moco).make(f.config, f.data, f.images);
  const int64_t dim = f.config.model.projection;
  const std::vector<float> before = f.saved("queue");
  f.loss();
  NamedParameter trained = f.task->state().parameters.front();
  const std::vector<float> old = f.saved("follower/" + trained.name);
  trained.parameter->value.copy_from(f.ctx.full(trained.parameter->value.shape(), 3.f));
  const std::vector<int32_t> finite{1};
  f.task->after_step(f.step, finite.data());
  const std::vector<float> after = f.saved("queue"), follows = f.saved("follower/" + trained.name);
  ASSERT_EQ(after.size(), static_cast<size_t>(20 * dim));
  for (int64_t k = 0; k < kBatch; ++k) EXPECT_NEAR(dot(&after[k * dim], &after[k * dim], dim), 1, 1e-5) << k;
  for (size_t i = 0; i < static_cast<size_t>((20 - kBatch) * dim); ++i)
    EXPECT_EQ(after[kBatch * dim + i], before[i]) << i;
  EXPECT_NE(std::vector<float>(after.begin(), after.begin() + kBatch * dim),
            std::vector<float>(before.begin(), before.begin() + kBatch * dim));
  for (size_t i = 0; i < old.size(); ++i) EXPECT_NEAR(follows[i], 0.75 * old[i] + 0.25 * 3, 4 * 0x1p-24 * 3) << i;
}

TEST(PretextLosses, ByolPredictsTheOtherViewInBothDirections) {
  Fixture f(PretextKind::byol);
  const int dim = f.config.model.projection, hidden = f.config.pretext.byol.hidden;
  ResNet backbone = f.backbone();
  MlpHead projector(f.ctx, backbone.config().features(), hidden, dim, f.seed("head"), "projector");
  MlpHead predictor(f.ctx, dim, hidden, dim, f.seed("predictor"), "predictor");
  const auto target = [&](Tape& tape, Var x) { return projector(tape, backbone(tape, x, true), true); };
  const auto online = [&](Tape& tape, Var x) { return predictor(tape, target(tape, x), true); };
  std::vector<int64_t> all(kBatch);
  std::iota(all.begin(), all.end(), 0);
  double want = 0;
  for (uint32_t from : {0u, 1u}) {
    const std::vector<float> p = passed(f.ctx, f.views(from), all, online),
                             t = passed(f.ctx, f.views(1 - from), all, target);
    for (int64_t i = 0; i < kBatch; ++i) {
      const float *a = &p[i * dim], *b = &t[i * dim];
      want += (2 - 2 * dot(a, b, dim) / std::sqrt(dot(a, a, dim) * dot(b, b, dim))) / kBatch;
    }
  }
  EXPECT_NEAR(f.loss(), want, kLossTolerance);
}

TEST(PretextLosses, ByolFollowsByTheDecayOfTheStep) {
  Fixture f(PretextKind::byol);
  NamedParameter trained = f.task->state().parameters.front();
  const std::vector<float> old = f.saved("follower/" + trained.name);
  trained.parameter->value.copy_from(f.ctx.full(trained.parameter->value.shape(), 3.f));
  const std::vector<int32_t> finite{1};
  f.task->after_step(f.step, finite.data());
  const std::vector<float> follows = f.saved("follower/" + trained.name);
  for (size_t i = 0; i < old.size(); ++i) EXPECT_NEAR(follows[i], 0.875 * old[i] + 0.125 * 3, 4 * 0x1p-24 * 3) << i;
}

// From its momentum at the first step to 1 at the end, which no step reaches.
TEST(PretextLosses, ByolsDecayRisesByACosine) {
  EXPECT_FLOAT_EQ(byol_decay(0.5f, 0), 0.5f);
  EXPECT_FLOAT_EQ(byol_decay(0.5f, 0.5), 0.75f);
  EXPECT_FLOAT_EQ(byol_decay(0.5f, 1. / 3), 1 - 0.5f * 0.75f);
  EXPECT_FLOAT_EQ(byol_decay(0.5f, 1), 1.f);
}

TEST(PretextLosses, RotNetTellsTheTurns) {
  Fixture f(PretextKind::rotnet);
  ResNet backbone = f.backbone();
  Linear head = make_linear(f.ctx, backbone.config().features(), 4, f.seed("head"), "rotation_head");
  const Tensor views = f.views(0);
  const std::vector<float> pixels = views.to_host();
  std::vector<float> turned;
  for (int64_t b = 0; b < kBatch; ++b) {
    // The image as a matrix of pixels, turned counter-clockwise: the last column becomes the first row.
    std::vector<std::array<float, 3>> image(64);
    for (size_t p = 0; p < 64; ++p)
      for (size_t c = 0; c < 3; ++c) image[p][c] = pixels[(static_cast<size_t>(b) * 64 + p) * 3 + c];
    for (int turn = 0; turn < 4; ++turn) {
      for (const auto& p : image) turned.insert(turned.end(), p.begin(), p.end());
      std::vector<std::array<float, 3>> next(64);
      for (size_t y = 0; y < 8; ++y)
        for (size_t x = 0; x < 8; ++x) next[(7 - x) * 8 + y] = image[y * 8 + x];
      image = next;
    }
  }
  const Tensor all = f.ctx.empty({4 * kBatch, 8, 8, 3});
  all.copy_from(turned);
  Tape tape(f.ctx, Tape::Mode::inference);
  const std::vector<float> logits = head(tape, backbone(tape, tape.constant(all), true)).value().to_host();
  double want = 0;
  for (size_t i = 0; i < 4 * kBatch; ++i) {
    double sum = 0;
    for (size_t c = 0; c < 4; ++c) sum += std::exp(double{logits[4 * i + c]});
    want += (std::log(sum) - logits[4 * i + i % 4]) / (4 * kBatch);
  }
  EXPECT_NEAR(f.loss(), want, kLossTolerance);
}

}  // namespace
}  // namespace kith
