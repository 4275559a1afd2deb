// What is particular to cuDNN and cuBLASLt: planning, plans on disk, TF32, refusals. On a GPU only.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/device/cublas/matmul.h"
#include "nn/tensor/context.h"
#include "tests/nn/support.h"
#include "tests/support/error_of.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using test::normal;
using test::Seed;

class CudaMathTest : public testing::Test {
 protected:
  void SetUp() override {
    const DeviceChoice choice = select_device({}, list_devices());
    if (choice.device == Device::cpu) GTEST_SKIP() << choice.reason;
    index_ = choice.index;
  }
  std::unique_ptr<Context> context(const MathOptions& math) {
    return std::make_unique<Context>(ContextOptions{.device = Device::cuda, .index = index_, .math = math});
  }
  // y of one forward convolution.
  std::vector<float> forward(Context& ctx, DType dtype = DType::f32) {
    const Tensor x = ctx.empty({8, 16, 16, 64}, dtype), w = ctx.empty({64, 3, 3, 64}, dtype);
    x.copy_from(normal(x.size(), Seed{1}));
    w.copy_from(normal(w.size(), Seed{2}));
    const Tensor y = ctx.empty({8, 16, 16, 64}, dtype);
    ctx.math().conv_forward(shape_, dtype, x.raw(), w.raw(), y.raw());
    return y.to_host();
  }
  const ConvShape shape_{8, 16, 16, 64, 64, 3, 1, 1};
  int index_ = 0;
};

TEST_F(CudaMathTest, PlansAreReadByTheNextContext) {
  const fs::path folder = fs::path(testing::TempDir()) / "kith_cuda_math";
  fs::remove_all(folder);
  const std::vector<float> first = forward(*context({.plan_folder = folder}), DType::bf16);
  ASSERT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
  const fs::path file = fs::directory_iterator(folder)->path();
  const auto written = fs::last_write_time(file);
  const auto again = context({.plan_folder = folder});
  EXPECT_NE(again->math().describe().find("1 plans known"), std::string::npos) << again->math().describe();
  EXPECT_EQ(forward(*again, DType::bf16), first);
  EXPECT_EQ(fs::last_write_time(file), written);  // nothing was searched
  fs::remove_all(folder);
}

TEST_F(CudaMathTest, AStepThatWasNeverRunIsNotCaptured) {
  const auto ctx = context({});
  const Tensor x = ctx->zeros({8, 16, 16, 64}), w = ctx->zeros({64, 3, 3, 64}), y = ctx->zeros({8, 16, 16, 64});
  ctx->accelerator()->begin_capture();
  const std::string line =
      test::error_of([&] { ctx->math().conv_forward(shape_, DType::f32, x.raw(), w.raw(), y.raw()); });
  ctx->accelerator()->abandon_capture();
  EXPECT_NE(line.find("run the step once before"), std::string::npos) << line;
  forward(*ctx);  // and the context is as good as before
}

TEST_F(CudaMathTest, Tf32IsAChoice) {
  const std::vector<float> exact = forward(*context({})), rounded = forward(*context({.tf32 = true}));
  EXPECT_NE(exact, rounded);
  // Operands rounded to 11 significant bits: relative 2^-11 each, over a sum of 576 unit normals' products.
  EXPECT_TRUE(test::close(rounded, test::widen(std::span<const float>(exact)), {.abs = 4 * 0x1p-10 * 24}));
}

TEST_F(CudaMathTest, TooSmallAWorkspaceSaysWhatToChange) {
  const auto ctx = context({.workspace_limit = -1});
  const std::string line = test::error_of([&] { forward(*ctx); });
  EXPECT_NE(line.find("use a smaller batch"), std::string::npos) << line;
  EXPECT_NE(line.find("8x16x16x64"), std::string::npos) << line;
}

TEST_F(CudaMathTest, AMisalignedOperandIsRefused) {
  const auto ctx = context({});
  const Tensor x = ctx->zeros({8 * 16 * 16 * 64 + 4}), w = ctx->zeros({64, 3, 3, 64}), y = ctx->zeros({8, 16, 16, 64});
  EXPECT_NE(test::error_of([&] {
              ctx->math().conv_forward(shape_, DType::f32, x.data() + 1, w.raw(), y.raw());
            }).find("16-byte"),
            std::string::npos);
}

// Descriptors need the library, no device: every attribute is one that cuBLASLt takes.
TEST(MatmulDescs, AreTakenByTheLibrary) {
  try {
    cublas_lt();
  } catch (const Error& e) {
    GTEST_SKIP() << "no cuBLASLt: " << e.what();
  }
  for (const LinearShape& s : {LinearShape{1, 1, 1}, LinearShape{512, 128, 64}, LinearShape{257, 512, 100}})
    for (const Product& p : {forward_product(s), data_product(s), weights_product(s)}) {
      EXPECT_NO_THROW(MatmulDescs({.product = p, .bias = true}));
      EXPECT_NO_THROW(MatmulDescs({.product = p, .write = Write::add, .tf32 = true}));
    }
}

TEST(DenseMathWithoutADevice, IsOneLine) {
  if (!list_devices().devices.empty()) GTEST_SKIP() << "there is one";
  const std::string line = test::error_of([] { make_accelerator_math({.device = Device::cuda}, {}); });
  EXPECT_NE(line, "");
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  std::cout << line << '\n';
}

}  // namespace
}  // namespace kith
