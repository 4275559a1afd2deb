#include "kernels/ntxent.h"

#include <numeric>

#include "bench/support.h"
#include "kernels/core/bf16.h"

namespace kith {
namespace {

constexpr float kTau = 0.1f;

template <class T>
struct Problem {
  Products products;
  bench::Array<T> z, dz, lse, loss, dloss;

  Problem(Memory& memory, const test::HostMatrix<T>& z_in, Products products_in)
      : products(products_in),
        z(memory, z_in),
        dz(memory, z_in.rows, z_in.cols),
        lse(memory, z_in.rows),
        loss(memory, z_in.rows),
        dloss(memory, std::vector<T>(static_cast<size_t>(z_in.rows), 1 / static_cast<T>(z_in.rows))) {}
  kernels::NtXentForward<T> forward() const {
    return {.anchors = z.matrix(),
            .keys = z.matrix(),
            .tau = kTau,
            .lse = lse.span(),
            .loss = loss.span(),
            .products = products};
  }
  kernels::NtXentBackward<T> backward() const {
    return {.anchors = z.matrix(),
            .keys = z.matrix(),
            .lse = lse.span(),
            .dloss = dloss.span(),
            .tau = kTau,
            .danchors = dz.matrix(),
            .dkeys = dz.matrix(),
            .products = products};
  }
};

template <class T>
std::vector<double> dz_on_cpu(const test::HostMatrix<T>& z) {
  const Problem<T> p(bench::host(), z, Products::f32);
  kernels::cpu::ntxent_forward(p.forward()), kernels::cpu::ntxent_backward(p.backward());
  const std::vector<T> dz = p.dz.to_host();
  return {dz.begin(), dz.end()};
}

// At a size that costs little, still has several blocks, and takes the paths that as many rows take: against the oracle, long
// ones against the CPU. On compute capability 9.0 bf16 products have others from 1,024 and from 2,048 rows on, elsewhere beyond
// 2,048.
testing::AssertionResult verified(int64_t rows, int64_t dim, Products products) {
  const bool is_long = rows >= 1024 && products == Products::bf16;
  const int64_t few = std::min<int64_t>(rows, is_long ? 2050 : 514);
  test::HostMatrix<float> z = test::unit_rows(few, dim, {7});
  if (products == Products::bf16)  // both sides multiply the same operands
    for (float& v : z.values) v = widen(narrow(v));
  const Problem<float> p(bench::memory(), z, products);
  kernels::ntxent_forward(p.forward(), bench::queue()), kernels::ntxent_backward(p.backward(), bench::queue());
  // dz is a sum of weights P g times z over tau; over k the weights of row k sum to about 2 / rows, and those of the two
  // positives to 2 / rows. A weight carries a few roundings of its exponent, of one in magnitude here, and of itself; where
  // it is rounded to bf16, 2^-8.
  const double weight = (products == Products::bf16 ? 0x1p-8 : 0) + 32 * test::kUnit;
  return test::close(p.dz.to_host(), is_long ? dz_on_cpu(z) : dz_on_cpu(widen(z)),
                     {.abs = 4 * weight / (static_cast<double>(few) * kTau)});
}

Products products_of(const benchmark::State& state) { return state.range(2) == 0 ? Products::f32 : Products::bf16; }
bench::Bound bound(Products p) { return p == Products::f32 ? bench::Bound::f32 : bench::Bound::matrix; }

void ntxent_forward(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1);
  const Products products = products_of(state);
  const Problem<float> p(bench::memory(), test::unit_rows(rows, dim, {7}), products);
  bench::run_verified(
      state, verified(rows, dim, products), bench::cost(kernels::ntxent_forward_cost, rows, dim),
      [&] { kernels::ntxent_forward(p.forward(), bench::queue()); }, bound(products));
}

void ntxent_forward_backward(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1);
  const Products products = products_of(state);
  const Problem<float> p(bench::memory(), test::unit_rows(rows, dim, {7}), products);
  using bench::operator+;
  bench::run_both_verified(
      state, verified(rows, dim, products),
      bench::cost(kernels::ntxent_forward_cost, rows, dim) + bench::cost(kernels::ntxent_backward_cost, rows, dim),
      [&] { kernels::ntxent_forward(p.forward(), bench::queue()); },
      [&] { kernels::ntxent_backward(p.backward(), bench::queue()); }, bound(products));
}

// A momentum queue: anchors against their positives and what stands behind those; only the anchors want a gradient.
template <class T>
struct Queued {
  Products products;
  bench::Array<T> anchors, keys, danchors, lse, loss, dloss;
  bench::Array<int32_t> positive;

  Queued(Memory& memory, const test::HostMatrix<T>& a, const test::HostMatrix<T>& k, Products products_in)
      : products(products_in),
        anchors(memory, a),
        keys(memory, k),
        danchors(memory, a.rows, a.cols),
        lse(memory, a.rows),
        loss(memory, a.rows),
        dloss(memory, std::vector<T>(static_cast<size_t>(a.rows), 1 / static_cast<T>(a.rows))),
        positive(memory, first(a.rows)) {}
  static std::vector<int32_t> first(int64_t count) {
    std::vector<int32_t> v(static_cast<size_t>(count));
    std::iota(v.begin(), v.end(), 0);
    return v;
  }
  kernels::NtXentForward<T> forward() const {
    return {.anchors = anchors.matrix(),
            .keys = keys.matrix(),
            .positive = positive.span(),
            .self_offset = kernels::kNoSelf,
            .tau = kTau,
            .lse = lse.span(),
            .loss = loss.span(),
            .products = products};
  }
  kernels::NtXentBackward<T> backward() const {
    return {.anchors = anchors.matrix(),
            .keys = keys.matrix(),
            .positive = positive.span(),
            .self_offset = kernels::kNoSelf,
            .lse = lse.span(),
            .dloss = dloss.span(),
            .tau = kTau,
            .danchors = danchors.matrix(),
            .products = products};
  }
};

// At a size that costs little, against the oracle. The weights of an anchor sum to 2 / anchors at most: of P, and of its positive.
testing::AssertionResult queued_verified(int64_t anchors, int64_t keys, int64_t dim, Products products) {
  const int64_t a = std::min<int64_t>(anchors, 130), k = std::min<int64_t>(keys, 514);
  test::HostMatrix<float> rows = test::unit_rows(a, dim, {7}), columns = test::unit_rows(k, dim, {8});
  for (test::HostMatrix<float>* m : {&rows, &columns})
    for (float& v : m->values) v = products == Products::bf16 ? widen(narrow(v)) : v;
  const Queued<float> p(bench::memory(), rows, columns, products);
  kernels::ntxent_forward(p.forward(), bench::queue()), kernels::ntxent_backward(p.backward(), bench::queue());
  const Queued<double> want(bench::host(), widen(rows), widen(columns), Products::f32);
  kernels::cpu::ntxent_forward(want.forward()), kernels::cpu::ntxent_backward(want.backward());
  const double weight = (products == Products::bf16 ? 0x1p-8 : 0) + 32 * test::kUnit;
  return test::close(p.danchors.to_host(), want.danchors.to_host(),
                     {.abs = 2 * weight / (static_cast<double>(a) * kTau)});
}

void contrastive_forward_backward(benchmark::State& state) {
  const int64_t anchors = state.range(0), keys = state.range(1), dim = state.range(2);
  const Products products = state.range(3) == 0 ? Products::f32 : Products::bf16;
  const Queued<float> p(bench::memory(), test::unit_rows(anchors, dim, {7}), test::unit_rows(keys, dim, {8}), products);
  using bench::operator+;
  bench::run_both_verified(
      state, queued_verified(anchors, keys, dim, products),
      bench::cost(kernels::contrastive_forward_cost, anchors, keys, dim) +
          bench::cost(kernels::contrastive_danchors_cost, anchors, keys, dim),
      [&] { kernels::ntxent_forward(p.forward(), bench::queue()); },
      [&] { kernels::ntxent_backward(p.backward(), bench::queue()); }, bound(products));
}

// Rows, dim, and whether products are of bf16.
const std::vector<std::vector<int64_t>> kCuda = {{1024, 128, 1},  {2048, 128, 1},  {4096, 128, 1}, {8192, 128, 1},
                                                 {16384, 128, 1}, {65536, 128, 1}, {1024, 128, 0}, {4096, 128, 0}},
                                        kSmoke = {{66, 33, 1}, {34, 31, 0}}, kCounted = {{256, 64, 0}};
std::vector<std::vector<int64_t>> powers_of_two() {
  std::vector<std::vector<int64_t>> sizes;
  for (const int64_t products : {0, 1})
    for (int64_t rows = 256; rows <= 8192; rows *= 2) sizes.push_back({rows, 128, products});
  return sizes;
}
const bench::Entry kForward{
    "ntxent_forward",
    ntxent_forward,
    {.cpu = {{1024, 128, 0}, {4096, 128, 0}, {4096, 128, 1}}, .cuda = kCuda, .smoke = kSmoke, .counted = kCounted}};
const bench::Entry kBoth{"ntxent_forward_backward",
                         ntxent_forward_backward,
                         {.cpu = powers_of_two(), .cuda = kCuda, .smoke = kSmoke, .counted = kCounted}};
// Anchors, keys, dim, and products.
const bench::Entry kQueue{
    "contrastive_forward_backward",
    contrastive_forward_backward,
    {.cpu = {{256, 4096, 128, 0}},
     .cuda = {{256, 4096, 128, 1}, {256, 65536, 128, 1}, {1024, 8192, 128, 1}, {256, 4096, 128, 0}},
     .smoke = {{20, 66, 33, 1}, {18, 34, 31, 0}},
     .counted = {{64, 512, 64, 0}}}};

}  // namespace
}  // namespace kith
