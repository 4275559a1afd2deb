// Operations on a batch that ranks share: what one rank says of the whole batch, each of several says too.
#include "nn/ops/ranks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>

#include "nn/model/initialise.h"
#include "nn/model/optimizer.h"
#include "tests/nn/device/ranks.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using Values = std::vector<float>;
constexpr double kU = 0x1p-24;

Values rows_of(const Values& all, int64_t columns, int64_t first, int64_t count) {
  return {all.begin() + first * columns, all.begin() + (first + count) * columns};
}

// f(context, this rank's bounds[rank], bounds) on each of 1, 2 and 3 ranks that share `rows` rows, `unit` of them together.
void on_ranks(int64_t rows, int64_t unit,
              const std::function<void(Context&, int64_t first, int64_t count, const std::vector<int64_t>&)>& f) {
  for (const int count : {1, 2, 3})
    test::on_thread_ranks(count, [&](const std::shared_ptr<Collective>& own) {
      Context ctx({.threads = 1, .collective = own});
      std::vector<int64_t> bounds = share_bounds(rows / unit, count);
      for (int64_t& b : bounds) b *= unit;
      const auto rank = static_cast<size_t>(own->rank());
      f(ctx, bounds[rank], bounds[rank + 1] - bounds[rank], bounds);
    });
}

TEST(RanksOps, TheWholeBatchIsInItsOrderAndItsGradientTheRanksOwnRows) {
  constexpr int64_t kHeads = 3, kRows = 11, kColumns = 4;
  const Values all = test::normal(kHeads * kRows * kColumns, {1}),
               upstream = test::normal(kHeads * kRows * kColumns, {2});
  const auto part = [&](const Values& of, int64_t first, int64_t count) {  // [heads, count, columns]
    Values out;
    for (int64_t h = 0; h < kHeads; ++h) {
      const Values block = rows_of(of, kColumns, h * kRows + first, count);
      out.insert(out.end(), block.begin(), block.end());
    }
    return out;
  };
  on_ranks(kRows, 1, [&](Context& ctx, int64_t first, int64_t count, const std::vector<int64_t>& bounds) {
    Tape tape(ctx);
    const Var x = tape.leaf(ctx.from({kHeads, count, kColumns}, part(all, first, count)));
    const Var whole = whole_batch(tape, x, bounds, 1);
    EXPECT_EQ(whole.value().shape(), (Shape{kHeads, kRows, kColumns}));
    EXPECT_EQ(whole.value().to_host(), all);
    tape.backward({{whole, ctx.from({kHeads, kRows, kColumns}, upstream)}});
    EXPECT_EQ(tape.grad(x).to_host(), part(upstream, first, count));
  });
  on_ranks(kHeads * kRows, 1, [&](Context& ctx, int64_t first, int64_t count, const std::vector<int64_t>& bounds) {
    Tape tape(ctx);
    const Var x = tape.leaf(ctx.from({count, kColumns}, rows_of(all, kColumns, first, count)));
    const Var whole = whole_batch(tape, x, bounds);
    EXPECT_EQ(whole.value().to_host(), all);
    tape.backward({{whole, ctx.from({kHeads * kRows, kColumns}, upstream)}});
    EXPECT_EQ(tape.grad(x).to_host(), rows_of(upstream, kColumns, first, count));
  });
}

// sum_k P_ki of every key, in f64.
std::vector<double> attention_of(const test::HostMatrix<float>& z, double tau) {
  std::vector<double> sums(static_cast<size_t>(z.rows));
  for (int64_t k = 0; k < z.rows; ++k) {
    std::vector<double> e(static_cast<size_t>(z.rows));
    double total = 0;
    for (int64_t i = 0; i < z.rows; ++i) {
      if (i == k) continue;
      e[static_cast<size_t>(i)] = std::exp(test::dot(z.view().row(i), z.view().row(k)) / tau);
      total += e[static_cast<size_t>(i)];
    }
    for (size_t i = 0; i < e.size(); ++i) sums[i] += e[i] / total;
  }
  return sums;
}

TEST(RanksOps, NtXentIsThatOfAllRowsAndSoIsItsGradient) {
  constexpr int64_t kRows = 26, kDim = 12;
  constexpr float kTau = 0.2f;
  const test::HostMatrix<float> z = test::unit_rows(kRows, kDim, {3});
  const std::vector<double> attention = attention_of(z, kTau);
  for (const NtXentForm form : {NtXentForm::symmetric, NtXentForm::one_sided}) {
    Context alone({.threads = 1});
    Tape tape(alone);
    const Var leaf = tape.leaf(alone.from({kRows, kDim}, z.values)), loss = ntxent_mean(tape, leaf, kTau, form);
    tape.backward(loss);
    const double want = loss.value().to_host()[0];
    const Values gradient = tape.grad(leaf).to_host();
    // s has an error of sqrt(dim) u / tau, a sum of exponentials one of sqrt(rows) u, on either side; 4 in hand (Higham & Mary
    // 2019). Row i of the gradient is a sum of unit rows with weights g (P_ik + P_ki) / tau, and twice its positive's, which have
    // those errors relative to themselves. g is at most 2 / rows.
    const double relative = 2 * 4 * kU * (std::sqrt(kDim) / kTau + std::sqrt(kRows));
    const double weights = 2. / kRows / kTau * (1 + *std::ranges::max_element(attention) + 2);
    on_ranks(kRows, 2, [&](Context& ctx, int64_t first, int64_t count, const std::vector<int64_t>& bounds) {
      Tape own(ctx);
      const Var x = own.leaf(ctx.from({count, kDim}, rows_of(z.values, kDim, first, count)));
      const Var mean = ntxent_mean(own, x, kTau, form, bounds);
      own.backward(mean);
      EXPECT_NEAR(mean.value().to_host()[0], want, relative);
      EXPECT_TRUE(
          test::close(own.grad(x).to_host(), rows_of(gradient, kDim, first, count), {.abs = weights * relative}));
    });
  }
}

TEST(RanksOps, ViewsOfOneImageMayNotBeApart) {
  test::on_thread_ranks(2, [](const std::shared_ptr<Collective>& own) {
    Context ctx({.threads = 1, .collective = own});
    Tape tape(ctx);
    const Var z = tape.leaf(ctx.from({3, 2}, test::unit_rows(3, 2, {1}).values));
    EXPECT_NE(test::error_of([&] {
                ntxent_mean(tape, z, 1, NtXentForm::symmetric, std::vector<int64_t>{0, 3, 6});
              }).find("both views of an image are rows of one rank"),
              std::string::npos);
  });
}

// Weights used before whole_batch() by each rank on its own rows: their gradients, summed by the optimiser, are those of one
// rank.
TEST(RanksOps, SummedGradientsAreThoseOfTheWholeBatch) {
  constexpr int64_t kRows = 19, kIn = 7, kClasses = 5;
  const Values x = test::normal(kRows * kIn, {4});
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < kRows; ++i) labels.push_back(static_cast<int32_t>(i % kClasses));
  const auto gradient = [&](Context& ctx, int64_t first, int64_t count, const std::vector<int64_t>& bounds) {
    Linear layer = make_linear(ctx, kIn, kClasses, 1, "layer");
    StateView view;
    layer.list(view, "layer.");
    Optimizer optimizer(ctx, view.parameters, {});
    Tape tape(ctx);
    const Var logits = layer(tape, tape.constant(ctx.from({count, kIn}, rows_of(x, kIn, first, count))));
    const Var loss = mean(tape, softmax_xent(tape, whole_batch(tape, logits, bounds), Array<int32_t>(ctx, labels)));
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.gradients();
    return std::pair(layer.weight.grad.to_host(), layer.weight.value.to_host());
  };
  // dW_cj = sum_i d_ic x_ij with d = (p - [c = label]) / rows: of one order and another it differs by 2 (rows - 1) u sum |d| |x|.
  // A product of kIn numbers, blocked otherwise, moves a logit by 2 kIn u sum |w| |x|, and d by no more, over rows.
  std::vector<double> inputs(kIn);
  double largest = 0;
  for (int64_t i = 0; i < kRows; ++i) {
    double row = 0;
    for (int64_t j = 0; j < kIn; ++j) {
      const double size = std::abs(x[static_cast<size_t>(i * kIn + j)]);
      inputs[static_cast<size_t>(j)] += size, row += size;
    }
    largest = std::max(largest, row);
  }
  Values want;
  on_ranks(kRows, 1, [&](Context& ctx, int64_t first, int64_t count, const std::vector<int64_t>& bounds) {
    const auto [got, values] = gradient(ctx, first, count, bounds);
    if (bounds.size() == 2) return static_cast<void>(want = got);
    const double weight = std::abs(*std::ranges::max_element(values, {}, [](float w) { return std::abs(w); }));
    const double total = *std::ranges::max_element(inputs) / kRows;
    EXPECT_TRUE(test::close(got, want, {.abs = total * (2 * (kRows - 1) * kU + 2 * kIn * kU * largest * weight)}));
  });
}

}  // namespace
}  // namespace kith
