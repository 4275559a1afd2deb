// TURTLE against PyTorch in float64 (tests/golden/features.py), from the same weights on the same rows.
#include "scan/features/turtle.h"

#include <fmt/format.h>

#include "tests/scan/features/support.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

Tensor turtle_tensor(Context& ctx, const SafeTensors& file, const std::string& name) {
  const HostArray& a = file.arrays.at(name);
  return ctx.from(a.shape, {a.as<float>(), static_cast<size_t>(a.count())});
}

TEST(Turtle, StepsAreThoseOfTheAuthorsCode) {
  Context ctx;
  const SafeTensors file = golden("features");
  Turtle turtle(ctx, {6, 4}, 3, {}, 1);
  for (const NamedParameter& p : turtle.state().parameters) {  // task_encoder.S.weight_v
    const char space = p.name[13];
    p.parameter->value.copy_from(turtle_tensor(ctx, file, fmt::format("turtle.{}.{}", p.name.substr(15), space)));
  }
  const std::vector<Tensor> rows{turtle_tensor(ctx, file, "turtle.z.0"), turtle_tensor(ctx, file, "turtle.z.1")};
  const auto want = values<float>(file, "turtle.losses");
  for (int step = 0; step < 4; ++step) {
    std::vector<Linear> inner = turtle.draw_inner(1, step);
    for (size_t s = 0; s < 2; ++s) {
      inner[s].weight.value.copy_from(turtle_tensor(ctx, file, fmt::format("turtle.inner.{}.{}.weight", step, s)));
      inner[s].bias.value.copy_from(turtle_tensor(ctx, file, fmt::format("turtle.inner.{}.{}.bias", step, s)));
    }
    const auto loss = turtle.step(rows, inner, Turtle::Look::yes);
    ASSERT_TRUE(loss);
    // Adam's steps are of one size whatever the gradient's, so an error of a gradient reaches a weight as its share of the
    // gradient: below 16 u of 14 steps of 1e-3. The losses are sums of 90 terms of size below 4 of 30 rows: 64 u.
    const Tolerance tol{.abs = 14 * 1e-3 * 16 * kUnit + 64 * kUnit, .rel = 8 * kUnit};
    EXPECT_TRUE(close(std::vector<double>{loss->prediction, loss->entropy},
                      std::vector<double>{want[2 * step], want[2 * step + 1]}, tol));
  }
  for (size_t s = 0; s < 2; ++s)
    EXPECT_TRUE(close(turtle.weight(s).to_host(), turtle_tensor(ctx, file, fmt::format("turtle.final.{}", s)).to_host(),
                      {.abs = 4 * 1e-3 * 16 * kUnit + 16 * kUnit}));
}

TEST(Turtle, LooksChangeNothing) {
  Context ctx;
  const HostMatrix<float> x = blobs(40, 5, 3, 0.5f);
  const std::vector<Tensor> rows{ctx.from({40, 5}, x.values)};
  Turtle a(ctx, {5}, 3, {}, 2), b(ctx, {5}, 3, {}, 2);
  for (int step = 0; step < 3; ++step) {
    std::vector<Linear> ia = a.draw_inner(2, step), ib = b.draw_inner(2, step);
    EXPECT_TRUE(a.step(rows, ia, Turtle::Look::yes));
    EXPECT_FALSE(b.step(rows, ib, Turtle::Look::no));
  }
  EXPECT_EQ(a.weight(0).to_host(), b.weight(0).to_host());
}

}  // namespace
}  // namespace kith::test
