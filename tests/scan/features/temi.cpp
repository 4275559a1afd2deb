// TEMI against PyTorch in float64 (tests/golden/features.py), from the same weights on the same rows.
#include "scan/features/temi.h"

#include "tests/scan/features/support.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

constexpr TemiHeadsOptions kSmall{
    .heads = 2, .hidden = 9, .bottleneck = 6, .teacher_momentum = 0.9f, .weight_decay = 1e-2f};
constexpr int kSteps = 4;
constexpr double kRate = 1e-3;

Tensor temi_tensor(Context& ctx, const SafeTensors& file, const std::string& name) {
  const HostArray& a = file.arrays.at(name);
  return ctx.from(a.shape, {a.as<float>(), static_cast<size_t>(a.count())});
}

// The student's weights of the file; the teacher's are the same.
void begin_as(Context& ctx, const SafeTensors& file, TemiHeads& heads) {
  SafeTensors state;
  heads.save(state);
  for (auto& [name, array] : state.arrays)
    for (const std::string part : {"student/", "teacher.body/", "teacher.last/"})
      if (name.starts_with(part)) array = to_array(temi_tensor(ctx, file, "temi." + name.substr(part.size())));
  heads.load(state);
}

TEST(Temi, StepsAreThoseOfTheAuthorsCode) {
  Context ctx;
  const SafeTensors file = golden("features");
  TemiHeads heads(ctx, 7, 4, kSmall, 1);
  begin_as(ctx, file, heads);
  const Tensor rows = temi_tensor(ctx, file, "temi.x");
  const auto want = values<float>(file, "temi.losses");
  // As in Turtle.StepsAreThoseOfTheAuthorsCode: errors of gradients reach weights as their share, below 16 u, of steps of
  // one size. Logits are divided by a temperature of 0.1, which amplifies a weight's error tenfold, and the bottleneck's 6
  // sum it.
  const double weights = kSteps * kRate * 16 * kUnit;
  for (int step = 0; step < kSteps; ++step) {
    const std::vector<float> loss =
        heads.step(rows, static_cast<float>(kRate), step == 0 ? TemiHeads::Last::still : TemiHeads::Last::trained);
    EXPECT_TRUE(close(std::vector<double>(loss.begin(), loss.end()),
                      std::vector<double>{want[2 * step], want[2 * step + 1]}, {.abs = 60 * weights + 64 * kUnit}));
  }
  EXPECT_TRUE(close(heads.prior().to_host(), temi_tensor(ctx, file, "temi.prior").to_host(),
                    {.abs = 60 * weights + 16 * kUnit}));
  EXPECT_TRUE(close(heads.teacher_logits(rows).to_host(), temi_tensor(ctx, file, "temi.teacher").to_host(),
                    {.abs = 6 * weights + 64 * kUnit}));
}

TEST(Temi, CheckpointsHoldAll) {
  Context ctx;
  const HostMatrix<float> x = normal_rows(20, 7, Seed{3});
  const Tensor rows = ctx.from({20, 7}, x.values);
  TemiHeads a(ctx, 7, 4, kSmall, 1), b(ctx, 7, 4, kSmall, 2);
  for (int step = 0; step < 3; ++step)
    a.step(rows, 1e-3f, step == 0 ? TemiHeads::Last::still : TemiHeads::Last::trained);
  SafeTensors state;
  a.save(state);
  b.load(state);
  for (int step = 0; step < 3; ++step)
    EXPECT_EQ(a.step(rows, 1e-3f, TemiHeads::Last::trained), b.step(rows, 1e-3f, TemiHeads::Last::trained));
  EXPECT_EQ(a.teacher_logits(rows).to_host(), b.teacher_logits(rows).to_host());
}

}  // namespace
}  // namespace kith::test
