// Batch norm of a batch that ranks share, by the statistics of the whole: what one rank computes of all rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "nn/ops/ops.h"
#include "tests/nn/device/ranks.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using Values = std::vector<float>;

constexpr int64_t kImages = 13, kPixels = 6, kChannels = 5, kAllRows = kImages * kPixels, kSize = kAllRows * kChannels;
constexpr float kMomentum = 0.25f;

// Of one rank, or of the images of all in their order; parameter gradients are a rank's own.
struct Normalised {
  Values y, dx, dresidual, dgamma, dbeta, mean, var;
};

struct Problem {
  Values x = test::normal(kSize, {21}, 3), residual = test::normal(kSize, {22}), dy = test::normal(kSize, {23}),
         gamma = test::normal(kChannels, {24}), beta = test::normal(kChannels, {25});
  Problem() {
    for (int64_t i = 0; i < kSize; ++i) x[static_cast<size_t>(i)] += static_cast<float>(2 * (i % kChannels));
  }
};

Normalised normalised(Context& ctx, const Problem& p, int64_t first, int64_t count) {
  const Shape shape = {count, kPixels, kChannels};
  const auto part = [&](const Values& of) {
    constexpr int64_t kImage = kPixels * kChannels;
    return ctx.from(shape,
                    std::span(of).subspan(static_cast<size_t>(first * kImage), static_cast<size_t>(count * kImage)));
  };
  BatchNormState state{
      .running_mean = ctx.full({kChannels}, 1), .running_var = ctx.full({kChannels}, 2), .momentum = kMomentum};
  Tape tape(ctx);
  const Var x = tape.leaf(part(p.x)), residual = tape.leaf(part(p.residual));
  const Var gamma = tape.leaf(ctx.from({kChannels}, p.gamma)), beta = tape.leaf(ctx.from({kChannels}, p.beta));
  const Var y = batch_norm(tape, x, gamma, beta, state, {.train = true, .relu = true}, residual);
  tape.backward({{y, part(p.dy)}});
  const auto gradient = [&](const Var& v) { return tape.grad(v).to_host(); };
  return {.y = y.value().to_host(),
          .dx = gradient(x),
          .dresidual = gradient(residual),
          .dgamma = gradient(gamma),
          .dbeta = gradient(beta),
          .mean = state.running_mean.to_host(),
          .var = state.running_var.to_host()};
}

// How far two computations of the same may be from each other, of one channel, with u = 2^-24. Sums of n numbers in f32 are within
// n u of the sum of their magnitudes, whatever their order (Higham, Accuracy and Stability, 4.2), on either side; what is added
// beside them is rounded a few times, 8 u. D is the largest |x - x'|, by which sums are shifted at most.
struct Bound {
  double y = 0, dx = 0, dgamma = 0, dbeta = 0, mean = 0, var = 0;
};
Bound bound_of(const Problem& p, int64_t c) {
  constexpr double kU = 0x1p-24, kN = kAllRows, kSum = 2 * kN * kU + 8 * kU;
  std::vector<double> x, r;
  for (int64_t i = c; i < kSize; i += kChannels)
    x.push_back(p.x[static_cast<size_t>(i)]), r.push_back(p.residual[static_cast<size_t>(i)]);
  const double spread = *std::ranges::max_element(x) - *std::ranges::min_element(x);
  double mean = 0, var = 0, d = 0, dxhat = 0, most_xhat = 0, most_d = 0;
  for (const double v : x) mean += v / kN;
  for (const double v : x) var += (v - mean) * (v - mean) / kN;
  const double invstd = 1 / std::sqrt(var + 1e-5), gamma = std::abs(p.gamma[static_cast<size_t>(c)]),
               beta = std::abs(p.beta[static_cast<size_t>(c)]);
  Bound b;
  b.mean = kSum * spread + kU * std::abs(mean);
  b.var = kSum * spread * spread;                   // a sum of squares and a square of a sum
  const double scale = b.var / (2 * var) + 8 * kU;  // of invstd, relative
  for (size_t i = 0; i < x.size(); ++i) {
    const double xhat = (x[i] - mean) * invstd;
    const double u = xhat * p.gamma[static_cast<size_t>(c)] + p.beta[static_cast<size_t>(c)] + r[i];
    const double of_y = gamma * (invstd * b.mean + std::abs(xhat) * scale) + 8 * kU * (beta + std::abs(r[i]));
    // No sign may turn: a gradient would come or go.
    EXPECT_GT(std::abs(u), of_y) << "choose another seed";
    b.y = std::max(b.y, of_y);
    const double dy = u > 0 ? std::abs(p.dy[i * kChannels + static_cast<size_t>(c)]) : 0;
    d += dy, dxhat += dy * std::abs(xhat);
    most_xhat = std::max(most_xhat, std::abs(xhat)), most_d = std::max(most_d, dy);
  }
  const double of_xhat = invstd * b.mean + most_xhat * scale;
  b.dbeta = kSum * d;
  b.dgamma = kSum * dxhat + d * of_xhat;
  // dx = gamma invstd (d - sum d / n - xhat sum d xhat / n)
  b.dx = gamma * invstd *
         ((scale + 8 * kU) * (most_d + d / kN + most_xhat * dxhat / kN) + b.dbeta / kN +
          (most_xhat * b.dgamma + of_xhat * dxhat) / kN);
  return b;
}

void expect_close_by_channel(const Values& got, const Values& want, const std::vector<Bound>& bounds, double Bound::*of,
                             const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_LE(std::abs(double{got[i]} - want[i]), bounds[i % kChannels].*of) << what << " " << i;
}

TEST(BatchNormOfRanks, AnySharesGiveWhatOneRankDoes) {
  const Problem p;
  Context alone({.threads = 1});
  const Normalised want = normalised(alone, p, 0, kImages);
  std::vector<Bound> bounds;
  for (int64_t c = 0; c < kChannels; ++c) bounds.push_back(bound_of(p, c));
  const std::vector<std::vector<int64_t>> shares = {{0, 6, 13},    {0, 1, 13},    {0, 0, 13},       {0, 13, 13},
                                                    {0, 4, 9, 13}, {0, 4, 4, 13}, {0, 3, 6, 9, 13}, {0, 1, 1, 2, 13}};
  for (const std::vector<int64_t>& share : shares) {
    SCOPED_TRACE(testing::PrintToString(share));
    std::vector<Normalised> parts(share.size() - 1), again = parts;
    for (std::vector<Normalised>* to : {&parts, &again})
      test::on_thread_ranks(static_cast<int>(parts.size()), [&](const std::shared_ptr<Collective>& own) {
        own->batch_norm = Collective::BatchNorm::whole;
        Context ctx({.threads = 1, .collective = own});
        const auto r = static_cast<size_t>(own->rank());
        (*to)[r] = normalised(ctx, p, share[r], share[r + 1] - share[r]);
      });
    Normalised all{.y = {},
                   .dx = {},
                   .dresidual = {},
                   .dgamma = Values(kChannels),
                   .dbeta = Values(kChannels),
                   .mean = {},
                   .var = {}};
    for (size_t r = 0; r < parts.size(); ++r) {
      const Normalised& part = parts[r];
      for (const auto& of : {&Normalised::y, &Normalised::dx, &Normalised::dresidual})
        (all.*of).insert((all.*of).end(), (part.*of).begin(), (part.*of).end());
      for (size_t c = 0; c < kChannels; ++c) all.dgamma[c] += part.dgamma[c], all.dbeta[c] += part.dbeta[c];
      EXPECT_EQ(part.mean, parts[0].mean);  // the same bits on every rank
      EXPECT_EQ(part.var, parts[0].var);
      EXPECT_EQ(part.y, again[r].y);  // and again
      EXPECT_EQ(part.dx, again[r].dx);
    }
    expect_close_by_channel(all.y, want.y, bounds, &Bound::y, "y");
    expect_close_by_channel(all.dx, want.dx, bounds, &Bound::dx, "dx");
    expect_close_by_channel(all.dgamma, want.dgamma, bounds, &Bound::dgamma, "dgamma");
    expect_close_by_channel(all.dbeta, want.dbeta, bounds, &Bound::dbeta, "dbeta");
    expect_close_by_channel(parts[0].mean, want.mean, bounds, &Bound::mean, "running mean");
    // The running variance is that of n - 1 rows, and is rounded about 2.
    for (size_t c = 0; c < kChannels; ++c)
      EXPECT_NEAR(parts[0].var[c], want.var[c],
                  kMomentum * bounds[c].var * kAllRows / (kAllRows - 1) + 4 * test::kUnit * want.var[c]);
    EXPECT_EQ(all.dresidual, want.dresidual);
  }
}

TEST(BatchNormOfRanks, OwnStatisticsAndEvalModeTalkToNobody) {
  const Problem p;
  Normalised own, alone;
  test::on_thread_ranks(2, [&](const std::shared_ptr<Collective>& ranks) {
    if (ranks->rank() == 1) return ranks->barrier();
    Context ctx({.threads = 1, .collective = ranks});
    own = normalised(ctx, p, 0, 6);
    ranks->batch_norm = Collective::BatchNorm::whole;
    {
      const Collective::AloneScope scope(*ranks);
      alone = normalised(ctx, p, 0, 6);
    }
    BatchNormState state{.running_mean = ctx.full({kChannels}, 1), .running_var = ctx.full({kChannels}, 2)};
    Tape tape(ctx, Tape::Mode::inference);
    const Var one = tape.constant(ctx.full({kChannels}, 1));
    batch_norm(tape, tape.constant(ctx.from({kAllRows, kChannels}, p.x)), one, one, state, {.train = false});
    ranks->barrier();
  });
  Context one({.threads = 1});
  const Normalised want = normalised(one, p, 0, 6);
  EXPECT_EQ(own.y, want.y);
  EXPECT_EQ(alone.dx, want.dx);
}

TEST(BatchNormOfRanks, OneRowOnAllRanksIsTooFew) {
  test::on_thread_ranks(2, [](const std::shared_ptr<Collective>& own) {
    own->batch_norm = Collective::BatchNorm::whole;
    Context ctx({.threads = 1, .collective = own});
    BatchNormState state{.running_mean = ctx.full({1}, 0), .running_var = ctx.full({1}, 1)};
    Tape tape(ctx);
    const Var one = tape.constant(ctx.full({1}, 1)), x = tape.constant(ctx.full({own->rank(), 1}, 1));
    EXPECT_NE(test::error_of([&] {
                batch_norm(tape, x, one, one, state, {.train = true});
              }).find("batch_norm: train mode needs at least 2 rows, found 1 on all ranks"),
              std::string::npos);
  });
}

}  // namespace
}  // namespace kith
