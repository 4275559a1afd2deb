// The contrastive operations against the kernels they call: which arrays, which gradients, which products, what they charge. On
// the CPU, and on a CUDA device where there is one (the SIMT runner's in simt_contrastive_tests).
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <ostream>

#include "kernels/ntxent.h"
#include "nn/device/accelerator.h"
#include "nn/ops/ops.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using kernels::kNoSelf;

constexpr int64_t kAnchors = 6, kKeys = 14, kDim = 10;
constexpr float kTau = 0.2f;
constexpr Ceilings kCeilings{.bytes = 1e30, .f32 = 1, .bf16 = 4};  // operations alone bound

struct Where {
  const char* name;
  Device device;
  DType precision;
  friend std::ostream& operator<<(std::ostream& out, const Where& w) { return out << w.name; }
};
constexpr Where kCpu{"cpu", Device::cpu, DType::f32}, kCpuBf16{"cpu_bf16", Device::cpu, DType::bf16},
    kF32{"cuda", Device::cuda, DType::f32}, kBf16{"cuda_bf16", Device::cuda, DType::bf16};

class ContrastiveTest : public testing::TestWithParam<Where> {
 protected:
  void SetUp() override {
    if (GetParam().device == Device::cuda && list_devices().devices.empty()) GTEST_SKIP() << "no CUDA device";
    context_.emplace(ContextOptions{.device = GetParam().device, .threads = 1, .precision = GetParam().precision});
    context_->profile(kCeilings, 1);
  }
  Tensor rows(int64_t count, uint64_t seed) {
    return context_->from({count, kDim}, test::unit_rows(count, kDim, {seed}).values);
  }
  Products products() const { return GetParam().precision == DType::bf16 ? Products::bf16 : Products::f32; }

  struct Result {
    std::vector<float> loss, danchors, dkeys;
    bool operator==(const Result&) const = default;
  };
  Tensor upstream() { return test::normal_tensor(*context_, {kAnchors}, {9}); }

  // What the kernels say to the same arrays.
  Result direct(const Tensor& anchors, const Tensor& keys, const Array<int32_t>& positive, int64_t self_offset) {
    Context& ctx = *context_;
    const int64_t count = anchors.dim(0);
    const bool one_array = anchors.data() == keys.data() && keys.dim(0) == count;
    const Tensor lse = ctx.empty({count}), loss = ctx.empty({count}), da = ctx.empty(anchors.shape()),
                 dk = ctx.empty(keys.shape()), g = upstream();
    kernels::ntxent_forward({.anchors = anchors.matrix(),
                             .keys = keys.matrix(),
                             .positive = positive.span(),
                             .self_offset = self_offset,
                             .tau = kTau,
                             .lse = lse.span(),
                             .loss = loss.span(),
                             .products = products()},
                            ctx.queue());
    kernels::ntxent_backward({.anchors = anchors.matrix(),
                              .keys = keys.matrix(),
                              .positive = positive.span(),
                              .self_offset = self_offset,
                              .lse = lse.span(),
                              .dloss = g.span(),
                              .tau = kTau,
                              .danchors = da.matrix(),
                              .dkeys = one_array ? da.matrix() : dk.matrix(),
                              .products = products()},
                             ctx.queue());
    return {loss.to_host(), da.to_host(), one_array ? std::vector<float>() : dk.to_host()};
  }

  // The bound of the operation `name`, in operations at the ceiling of f32.
  double charged(const std::vector<SectionProfile>& sections, const std::string& name) {
    for (const OpProfile& op : sections.at(0).ops)
      if (op.name == name) return op.bound_seconds * (products() == Products::bf16 ? kCeilings.bf16 : kCeilings.f32);
    return 0;
  }
  std::optional<Context> context_;
};
const auto name_of_path = [](const auto& at) { return std::string(at.param.name); };
#ifdef KITH_SIMT
INSTANTIATE_TEST_SUITE_P(simt, ContrastiveTest, testing::Values(kF32, kBf16), name_of_path);
#else
INSTANTIATE_TEST_SUITE_P(device, ContrastiveTest, testing::Values(kCpu, kCpuBf16, kF32, kBf16), name_of_path);
#endif

TEST_P(ContrastiveTest, AQueueOfKeysWantsNoGradient) {
  Context& ctx = *context_;
  const Tensor a = rows(kAnchors, 1), k = rows(kKeys, 2);
  const Array<int32_t> positive(ctx, std::vector<int32_t>{0, 1, 2, 3, 3, 3});
  const Result want = direct(a, k, positive, kNoSelf);
  for (const bool keys_too : {false, true}) {
    Result got = want;
    {
      const Section section(ctx, keys_too ? "both" : "anchors");
      Tape tape(ctx);
      const Var anchors = tape.leaf(a), keys = keys_too ? tape.leaf(k) : tape.constant(k);
      const Var loss = contrastive(tape, anchors, keys, positive, kNoSelf, kTau);
      got.loss = loss.value().to_host();
      tape.backward({{loss, upstream()}});
      got.danchors = tape.grad(anchors).to_host();
      if (keys_too) got.dkeys = tape.grad(keys).to_host();
    }
    EXPECT_TRUE(got == want) << (keys_too ? "both gradients" : "one gradient");
    const auto profile = ctx.profiler()->take();
    const double product = 2.0 * kAnchors * kKeys * kDim;
    EXPECT_DOUBLE_EQ(charged(profile, "contrastive"), product);
    EXPECT_DOUBLE_EQ(charged(profile, "contrastive backward"), (keys_too ? 4 : 2) * product);
  }
}

TEST_P(ContrastiveTest, AnchorsMayBeTheirOwnKeys) {
  Context& ctx = *context_;
  const Tensor z = rows(kAnchors, 3);
  const Array<int32_t> given(ctx, std::vector<int32_t>{5, 4, 3, 2, 1, 0});
  for (const Array<int32_t>& positive : {Array<int32_t>(), given}) {
    const Result want = direct(z, z, positive, 0);
    Result got;
    {
      const Section section(ctx, "step");
      Tape tape(ctx);
      const Var x = tape.leaf(z), loss = contrastive(tape, x, x, positive, 0, kTau);
      got.loss = loss.value().to_host();
      tape.backward({{loss, upstream()}});
      got.danchors = tape.grad(x).to_host();
      EXPECT_TRUE(got == want);
      if (positive.empty()) {
        Tape other(ctx);
        const Var y = other.leaf(z), same = ntxent(other, y, kTau);
        EXPECT_EQ(same.value().to_host(), want.loss);
        other.backward({{same, upstream()}});
        EXPECT_EQ(other.grad(y).to_host(), want.danchors);
      }
    }
    const auto profile = ctx.profiler()->take();
    const double product = 2.0 * kAnchors * kAnchors * kDim;
    EXPECT_DOUBLE_EQ(charged(profile, "contrastive backward"), (positive.empty() ? 2 : 4) * product);
    EXPECT_DOUBLE_EQ(charged(profile, "ntxent backward"), (positive.empty() ? 2 : 0) * product);
  }
}

// Of the context's memory: anchors of a rank among the keys of all.
TEST_P(ContrastiveTest, ARankOfSeveral) {
  Context& ctx = *context_;
  const Tensor k = rows(kKeys, 4), a = k.part(4, kAnchors);
  const Result want = direct(a, k, {}, 4);
  Tape tape(ctx);
  const Var anchors = tape.leaf(a), keys = tape.leaf(k), loss = contrastive(tape, anchors, keys, {}, 4, kTau);
  EXPECT_EQ(loss.value().to_host(), want.loss);
  tape.backward({{loss, upstream()}});
  EXPECT_EQ(tape.grad(anchors).to_host(), want.danchors);
  EXPECT_EQ(tape.grad(keys).to_host(), want.dkeys);
  // The same two views, seen among all keys as one batch: each anchor's loss is that of the whole batch's row.
  Tape whole(ctx);
  const std::vector<float> all = ntxent(whole, whole.constant(k), kTau).value().to_host();
  const double tolerance = 4 * test::kUnit * ((std::sqrt(10.) + 4) / kTau + std::sqrt(14.) + 4);
  EXPECT_TRUE(
      test::close(want.loss, std::vector<float>(all.begin() + 4, all.begin() + 4 + kAnchors), {.abs = 2 * tolerance}));
}

}  // namespace
}  // namespace kith
