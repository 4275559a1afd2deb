// The contrastive loss where keys are more than the anchors: a momentum queue, a rank of several.
#include <omp.h>

#include <algorithm>

#include "kernels/core/bf16.h"
#include "kernels/core/check.h"
#include "tests/kernels/contrast.h"

namespace kith::test {
namespace {

using namespace kernels;

struct Got {
  std::vector<float> lse, loss;
  HostMatrix<float> danchors, dkeys;
};

Got run(const Contrast<float>& c) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const int64_t m = c.anchors.rows, dim = c.keys.cols;
  Got r{std::vector<float>(static_cast<size_t>(m)),
        std::vector<float>(static_cast<size_t>(m)),
        {m, dim, kNan},
        {c.keys.rows, dim, kNan}};
  ntxent_forward(c.forward(r.lse, r.loss), Queue{});
  ntxent_backward(c.backward(r.lse, r.danchors.view(), r.dkeys.view()), Queue{});
  return r;
}

void expect_oracle(const ContrastShape& shape, float tau, Products products) {
  SCOPED_TRACE(testing::Message() << shape.anchors << " x " << shape.keys << ", dim " << shape.dim << ", self "
                                  << shape.self_offset << ", tau " << tau
                                  << (products == Products::bf16 ? ", bf16" : ""));
  const bool is_bf16 = products == Products::bf16;
  Contrast<float> c = contrast(shape, tau);
  c.products = products;
  const Got got = run(c);
  for (HostMatrix<float>* m : {&c.anchors, &c.keys})  // as the products take them
    for (float& v : m->values) v = is_bf16 ? widen(narrow(v)) : v;
  const Contrasted want = oracle(widen(c));
  // As in ntxent.cpp: s of unit rows has error sqrt(dim) u / tau plus the rounding of 1 / tau, a sum of n exponentials
  // sqrt(n) u; factor 4 in hand. A weight of the gradients has the relative error of its exponential, of s and of lse, and
  // their sums sqrt(n) u. bf16: sums may be cut off, 2 u, and weights are rounded, 2^-8.
  const double n = std::sqrt(static_cast<double>(std::max(shape.anchors, shape.keys))), s = 1 / tau;
  const double e = 4 * kUnit * (((is_bf16 ? 2 : 1) * std::sqrt(static_cast<double>(shape.dim)) + 4) * s + n + s);
  EXPECT_TRUE(close(got.lse, want.lse, {.abs = e}));
  EXPECT_TRUE(close(got.loss, want.loss, {.abs = e}));
  const double relative = 2 * e + 4 * kUnit * n + (is_bf16 ? 0x1p-8 : 0), floor = std::numeric_limits<float>::min();
  EXPECT_TRUE(within(got.danchors.values, want.danchors, want.danchors_size, relative, floor));
  EXPECT_TRUE(within(got.dkeys.values, want.dkeys, want.dkeys_size, relative, floor));
}

void expect_oracle(const ContrastShape& shape, float tau) {
  for (const Products products : {Products::f32, Products::bf16}) expect_oracle(shape, tau, products);
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

constexpr ContrastShape kSmall[] = {{5, 9, 4, kNoSelf, Positives::spread},
                                    {5, 9, 4, 3, Positives::spread},
                                    {6, 4, 3, kNoSelf, Positives::shared},
                                    {7, 8, 5, 1, Positives::shared},
                                    {3, 6, 4, 2, Positives::partners}};

// The definition, without a maximum taken out.
TEST(NtXentKeys, OracleMatchesTheDefinition) {
  for (const ContrastShape& shape : kSmall) {
    const Contrast<double> c = widen(contrast(shape, 0.5f));
    const Contrasted r = oracle(c);
    for (int64_t i = 0; i < shape.anchors; ++i) {
      const int64_t self = shape.self_offset == kNoSelf ? -1 : shape.self_offset + i,
                    positive = c.positive.empty() ? self + (self % 2 == 0 ? 1 : -1) : c.positive[i];
      double sum = 0, of_positive = 0;
      for (int64_t k = 0; k < shape.keys; ++k) {
        const double e = std::exp(dot(c.anchors.view().row(i), c.keys.view().row(k)) / c.tau);
        if (k != self) sum += e;
        if (k == positive) of_positive = e;
      }
      EXPECT_NEAR(r.lse[i], std::log(sum), 1e-14);
      EXPECT_NEAR(r.loss[i], -std::log(of_positive / sum), 1e-14);
    }
  }
}

// Anchors and keys move apart, so those that are anchors too are moved as keys alone.
TEST(NtXentKeys, OracleGradientsMatchCentralDifferences) {
  for (const ContrastShape& shape : kSmall) {
    const Contrast<double> c = widen(contrast(shape, 0.5f));
    const Contrasted r = oracle(c);
    const auto loss = [&](HostMatrix<double> Contrast<double>::*of) {
      return [&c, of](const std::vector<double>& v) {
        Contrast<double> moved = c;
        (moved.*of).values = v;
        return dot(oracle(moved).loss, c.dloss);
      };
    };
    const test::Tolerance tol{.abs = 1e-8, .rel = 1e-8};
    EXPECT_TRUE(close(r.danchors.values, central_differences(c.anchors.values, loss(&Contrast<double>::anchors)), tol));
    EXPECT_TRUE(close(r.dkeys.values, central_differences(c.keys.values, loss(&Contrast<double>::keys)), tol));
  }
}

TEST(NtXentKeys, MatchesTheOracle) {
  for (const ContrastShape& shape : kSmall) expect_oracle(shape, 0.07f);
  // Minimum; around the blocks of 64 that are shared out and of 256 that are walked, of either gradient; more anchors than
  // keys; the anchor itself in the first, an inner and the last block.
  for (const ContrastShape& shape : {ContrastShape{1, 2, 1, kNoSelf, Positives::spread},
                                     {1, 3, 2, 2, Positives::spread},
                                     {63, 257, 31, kNoSelf, Positives::spread},
                                     {64, 256, 32, 0, Positives::shared},
                                     {65, 255, 33, 190, Positives::spread},
                                     {257, 65, 16, kNoSelf, Positives::shared},
                                     {130, 520, 17, 200, Positives::partners},
                                     {129, 300, 129, 171, Positives::partners}})
    for (const float tau : {0.01f, 0.2f}) expect_oracle(shape, tau);
}

// NT-Xent through the general passes: positives that are given, one array of gradients or two.
TEST(NtXentKeys, TheSquareCaseIsOneCase) {
  const HostMatrix<float> z = unit_rows(260, 19, Seed{5});
  Contrast<float> c{
      .anchors = {}, .keys = z, .positive = {}, .self_offset = 0, .tau = 0.1f, .dloss = normal(260, Seed{6})};
  std::vector<float> lse(260), loss(260), general_lse(260), general_loss(260);
  std::vector<int32_t> partner(260);
  for (int32_t i = 0; i < 260; ++i) partner[i] = i ^ 1;
  const auto forward = [&](std::vector<float>& l, std::vector<float>& o, std::span<const int32_t> positive) {
    ntxent_forward({.anchors = z.view(), .keys = z.view(), .positive = positive, .tau = 0.1f, .lse = l, .loss = o},
                   Queue{});
  };
  forward(lse, loss, {});
  forward(general_lse, general_loss, partner);
  const auto backward = [&](std::span<const int32_t> positive, HostMatrix<float>& da, HostMatrix<float>& dk) {
    ntxent_backward({.anchors = z.view(),
                     .keys = z.view(),
                     .positive = positive,
                     .lse = lse,
                     .dloss = c.dloss,
                     .tau = 0.1f,
                     .danchors = da.view(),
                     .dkeys = dk.view()},
                    Queue{});
  };
  HostMatrix<float> square(260, 19), one(260, 19), da(260, 19), dk(260, 19);
  backward({}, square, square);
  backward(partner, one, one);
  backward({}, da, dk);
  c.anchors = z;
  const Contrasted want = oracle(widen(c));
  HostMatrix<double> dz = want.danchors, size = want.danchors_size;
  for (size_t e = 0; e < dz.values.size(); ++e)
    dz.values[e] += want.dkeys.values[e], size.values[e] += want.dkeys_size.values[e];
  std::vector<float> sum(da.values);
  for (size_t e = 0; e < sum.size(); ++e) sum[e] += dk.values[e];
  const double e = 4 * kUnit * ((std::sqrt(19.) + 5) * 10 + std::sqrt(260.)),
               relative = 2 * e + 4 * kUnit * std::sqrt(260.);
  EXPECT_TRUE(close(loss, want.loss, {.abs = e}));
  EXPECT_TRUE(close(general_loss, want.loss, {.abs = e}));
  EXPECT_TRUE(close(general_lse, want.lse, {.abs = e}));
  for (const std::vector<float>* got : {&square.values, &one.values, &sum})
    EXPECT_TRUE(within(*got, dz, size, relative, std::numeric_limits<float>::min()));
}

// With an lse far above every score all P are 0, and gradients are the shares of the positives alone: of rounded rows, where
// products are of bf16.
TEST(NtXentKeys, PositivesShareTheRowsOfTheProducts) {
  for (const ContrastShape& shape : {ContrastShape{66, 300, 20, kNoSelf, Positives::shared},
                                     {66, 300, 20, 8, Positives::partners},
                                     {258, 258, 20, 0, Positives::partners}})
    for (const Products products : {Products::f32, Products::bf16}) {
      Contrast<float> c = contrast(shape, 0.2f);
      c.products = products;
      HostMatrix<float> danchors(shape.anchors, shape.dim), dkeys(shape.keys, shape.dim);
      const bool square = shape.anchors == shape.keys;
      const std::vector<float> lse(c.dloss.size(), 1000.f);
      auto backward = c.backward(lse, danchors.view(), square ? danchors.view() : dkeys.view());
      if (square) backward.keys = backward.anchors;
      ntxent_backward(backward, Queue{});
      HostMatrix<double> want_anchors(shape.anchors, shape.dim), want_keys(shape.keys, shape.dim);
      for (int64_t i = 0; i < shape.anchors; ++i)
        for (int64_t d = 0, k = positive_of(backward, i); d < shape.dim; ++d) {
          const auto taken = [&](float v) { return products == Products::bf16 ? widen(narrow(v)) : v; };
          const double share = c.dloss[i] / 0.2;
          want_anchors.view().row(i)[d] -= share * taken(backward.keys.row(k)[d]);
          (square ? want_anchors : want_keys).view().row(k)[d] -= share * taken(backward.anchors.row(i)[d]);
        }
      // At most 22 anchors share a positive: a product, a sum and a quotient each.
      double largest = 0;
      for (const float g : c.dloss) largest = std::max(largest, std::abs(double{g}));
      const Tolerance tol{.abs = 3 * 22 * kUnit * 22 * largest / 0.2};
      EXPECT_TRUE(close(danchors.values, want_anchors.values, tol));
      EXPECT_TRUE(close(dkeys.values, want_keys.values, tol));
    }
}

TEST(NtXentKeys, EachGradientIsWantedOrNotAndAddedOrNot) {
  const Contrast<float> c = contrast({70, 300, 12, 40, Positives::shared}, 0.2f);
  const Got both = run(c);
  HostMatrix<float> danchors(70, 12, 1.f), dkeys(300, 12, 1.f);
  ntxent_backward(c.backward(both.lse, danchors.view(), {}), Queue{});
  ntxent_backward(c.backward(both.lse, {}, dkeys.view()), Queue{});
  EXPECT_EQ(danchors.values, both.danchors.values);
  EXPECT_EQ(dkeys.values, both.dkeys.values);
  auto added = c.backward(both.lse, danchors.view(), dkeys.view());
  added.write_danchors = Write::add;
  ntxent_backward(added, Queue{});
  EXPECT_EQ(dkeys.values, both.dkeys.values);
  // Products are accumulated onto the first gradient, one rounding of it per block of keys.
  const auto expect_twice = [](const std::vector<float>& got, const std::vector<float>& once) {
    std::vector<double> want = widen(once);
    double largest = 0;
    for (double& x : want) largest = std::max(largest, std::abs(x *= 2));
    EXPECT_TRUE(close(got, want, {.abs = 16 * kUnit * largest}));
  };
  expect_twice(danchors.values, both.danchors.values);
  added = c.backward(both.lse, {}, dkeys.view());
  added.write_dkeys = Write::add;
  ntxent_backward(added, Queue{});
  expect_twice(dkeys.values, both.dkeys.values);
}

TEST(NtXentKeys, BitEqualForAnyNumberOfThreads) {
  const Contrast<float> c = contrast({330, 646, 24, 300, Positives::shared}, 0.1f);
  const Got want = run(c);
  const int threads = omp_get_max_threads();
  for (const int n : {1, 2, 3, threads}) {
    omp_set_num_threads(n);
    const Got got = run(c);
    EXPECT_EQ(got.loss, want.loss) << n << " threads";
    EXPECT_EQ(got.danchors.values, want.danchors.values) << n << " threads";
    EXPECT_EQ(got.dkeys.values, want.dkeys.values) << n << " threads";
  }
  omp_set_num_threads(threads);
}

TEST(NtXentKeys, RejectsWrongArguments) {
  const Contrast<float> right = contrast({4, 8, 3, 2, Positives::spread}, 0.2f);
  std::vector<float> lse(4), loss(4);
  const auto message = [&](auto change) {
    Contrast<float> c = right;
    change(c);
    try {
      ntxent_forward(c.forward(lse, loss), Queue{});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const auto says = [&](const char* part, auto change) {
    const std::string found = message(change);
    EXPECT_NE(found.find(part), std::string::npos) << "'" << found << "' says nothing of '" << part << "'";
  };
  EXPECT_EQ(message([](auto&) {}), "");
  says("the positive of anchor 1 is key 8 of 8", [](auto& c) { c.positive[1] = 8; });
  says("the positive of anchor 3 is key -1 of 8", [](auto& c) { c.positive[3] = -1; });
  says("the positive of anchor 2 is key 4, the anchor itself", [](auto& c) { c.positive[2] = 4; });
  says("4 anchors from key 5 on, but there are 8 keys", [](auto& c) { c.self_offset = 5; });
  says("self_offset is -2", [](auto& c) { c.self_offset = -2; });
  says("positive has 3 entries, expected 4", [](auto& c) { c.positive.resize(3); });
  says("anchors of 3 columns, keys of 4", [](auto& c) { c.keys = unit_rows(8, 4, Seed{1}); });
  says("without positives anchors must be keys", [](auto& c) { c.positive.clear(), c.self_offset = kNoSelf; });
  says("4 anchors and 1 keys", [](auto& c) { c.keys = unit_rows(1, 3, Seed{1}), c.self_offset = kNoSelf; });
  HostMatrix<float> few(4, 3);
  EXPECT_THROW(ntxent_backward(right.backward(lse, {}, {}), Queue{}), Error);
  EXPECT_THROW(ntxent_backward(right.backward(lse, {}, few.view()), Queue{}), Error);
  EXPECT_THROW(ntxent_backward(right.backward(lse, few.view(), few.view()), Queue{}), Error);
}

}  // namespace
}  // namespace kith::test
