#include "nn/tensor/tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "kernels/core/check.h"
#include "nn/tensor/buffer.h"
#include "nn/tensor/context.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

TEST(tensor, is_aligned_shares_storage_on_reshape_and_counts_from_the_end) {
  Context ctx;
  Tensor t = ctx.from({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(t.raw()) % 64, 0u);
  EXPECT_EQ(t.dim(-1), 3);
  EXPECT_EQ(t.bytes(), 24u);
  Tensor r = t.reshape({3, 2});
  EXPECT_EQ(r.raw(), t.raw());
  EXPECT_EQ(r.matrix().rows, 3);
  EXPECT_THROW(t.reshape({4}), Error);
  EXPECT_THROW(t.dim(2), Error);
  EXPECT_THROW(t.copy_from(std::vector<float>(5)), Error);
  EXPECT_THROW(ctx.empty({2, -1}), Error);
}

TEST(tensor, parts_share_storage_and_join_again) {
  Context ctx;
  const Tensor t = ctx.from({4, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor middle = t.part(1, 2);
  EXPECT_EQ(middle.shape(), (Shape{2, 2}));
  EXPECT_EQ(middle.data(), t.data() + 2);
  EXPECT_EQ(middle.part(1, 1).reshape({2}).to_host(), (std::vector<float>{5, 6}));
  middle.copy_from(std::vector<float>{9, 9, 9, 9});
  EXPECT_EQ(t.to_host(), (std::vector<float>{1, 2, 9, 9, 9, 9, 7, 8}));
  EXPECT_TRUE(t.part(4, 0).to_host().empty());
  EXPECT_THROW(t.part(3, 2), Error);
  EXPECT_THROW(t.part(-1, 1), Error);
  EXPECT_THROW(ctx.zeros({}).part(0, 1), Error);

  const Tensor joined = Tensor::joined(std::vector{t.part(1, 1), t.part(2, 2)}, {6});
  EXPECT_EQ(joined.data(), t.data() + 2);
  EXPECT_EQ(joined.to_host(), (std::vector<float>{9, 9, 9, 9, 7, 8}));
  const Tensor other = ctx.zeros({4, 2});
  EXPECT_TRUE(Tensor::joined(std::vector{t.part(2, 1), t.part(1, 1)}, {4}).empty());
  EXPECT_TRUE(Tensor::joined(std::vector{t.part(0, 1), t.part(2, 1)}, {4}).empty());
  EXPECT_TRUE(Tensor::joined(std::vector{t.part(0, 1), other.part(1, 1)}, {4}).empty());
  EXPECT_TRUE(Tensor::joined(std::vector{t, Tensor()}, {8}).empty());
  EXPECT_TRUE(Tensor::joined({}, {0}).empty());
  EXPECT_THROW(Tensor::joined(std::vector{t}, {7}), Error);
}

TEST(tensor, scalars_and_empty_ones) {
  Context ctx;
  EXPECT_EQ(Tensor().size(), 0);
  EXPECT_TRUE(Tensor().span().empty());
  EXPECT_EQ(ctx.full({}, 2.f).to_host(), std::vector<float>{2.f});
  EXPECT_THROW(ctx.zeros({}).matrix(), Error);
  EXPECT_TRUE(ctx.zeros({0, 4}).to_host().empty());
  EXPECT_EQ(to_string(Shape{2, 32, 32, 3}), "[2, 32, 32, 3]");
}

TEST(tensor, bf16_rounds_to_nearest_even) {
  Context ctx;
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  // 1 + 2^-8 is half way to the next bf16 number: even is 1. 1 + 3 2^-8: even is 1 + 2^-6.
  const std::vector<float> in{1.f, 1.f + 0x1p-8f, 1.f + 0x1.8p-7f, 1.f + 0x1.02p-8f, -inf, nan, 3.4e38f, -0.f};
  Tensor t = ctx.empty({8}, DType::bf16);
  t.copy_from(in);
  const std::vector<float> out = t.to_host();
  EXPECT_EQ(out[0], 1.f);
  EXPECT_EQ(out[1], 1.f);
  EXPECT_EQ(out[2], 1.f + 0x1p-6f);
  EXPECT_EQ(out[3], 1.f + 0x1p-7f);
  EXPECT_EQ(out[4], -inf);
  EXPECT_TRUE(std::isnan(out[5]));
  EXPECT_EQ(out[6], inf);
  EXPECT_TRUE(std::signbit(out[7]));
  EXPECT_THROW(t.data(), Error);
  EXPECT_EQ(t.bytes(), 16u);
}

TEST(tensor, bf16_keeps_a_nan_whose_payload_would_round_away) {
  Context ctx;
  Tensor t = ctx.empty({1}, DType::bf16);
  t.copy_from(std::vector<float>{std::bit_cast<float>(0x7f800001u)});
  EXPECT_TRUE(std::isnan(t.to_host()[0]));
}

TEST(pool, buckets_hold_the_request_and_waste_at_most_a_quarter) {
  for (size_t bytes : {1ul, 255ul, 256ul, 257ul, 1000ul, 4096ul, 4097ul, 100'000'001ul}) {
    const size_t capacity = Pool::bucket(bytes);
    EXPECT_GE(capacity, bytes);
    EXPECT_EQ(capacity % 64, 0u);
    EXPECT_EQ(Pool::bucket(capacity), capacity);
    EXPECT_LE(static_cast<double>(capacity), std::max(256.0, 1.25 * static_cast<double>(bytes) + 64));
  }
}

TEST(pool, blocks_are_recycled_and_outlive_the_context) {
  Tensor survivor;
  {
    Context ctx;
    const void* first = ctx.empty({1000}).raw();
    const int64_t misses = ctx.pool_misses(), bytes = ctx.pool_bytes();
    survivor = ctx.full({1000}, 3.f);
    EXPECT_EQ(survivor.raw(), first);
    EXPECT_EQ(ctx.pool_misses(), misses);
    EXPECT_EQ(ctx.pool_bytes(), bytes);
    EXPECT_NE(ctx.empty({1000}).raw(), first);
    EXPECT_EQ(ctx.pool_misses(), misses + 1);
  }
  EXPECT_EQ(survivor.to_host(), std::vector<float>(1000, 3.f));
}

TEST(context, refuses_what_it_cannot_do) {
  EXPECT_THROW(Context({.device = Device::cuda}), Error);
  EXPECT_THROW(Context({.threads = -1}), Error);
  EXPECT_EQ(Context({.threads = 3}).threads(), 3);
  EXPECT_GE(Context().threads(), 1);
}

}  // namespace
}  // namespace kith
