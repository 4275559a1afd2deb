// The program's commands on a CUDA device: under the SIMT runner, and on a GPU in a CUDA build.
#include "apps/device.h"

#include "apps/commands/arrays.h"
#include "apps/run_stage.h"
#include "data/formats/npy.h"
#include "kernels/core/philox.h"
#include "tests/apps/tiny_data.h"
#include "tests/support/on_cuda.h"

namespace kith {
namespace {

using AppsCuda = test::OnCuda;

TEST_F(AppsCuda, AutoTakesTheDeviceAndBf16) {
  const OpenedContext opened = open_context({}, list_devices());
  EXPECT_FALSE(opened.context->on_cpu());
  EXPECT_EQ(opened.context->precision(), DType::bf16);
  EXPECT_TRUE(opened.line.starts_with("cuda:0, " + list_devices().devices[0].name)) << opened.line;
  EXPECT_NE(opened.line.find("activations bf16"), std::string::npos) << opened.line;
  EXPECT_EQ(opened.warning, "");
  const OpenedContext exact = open_context({.precision = Precision::f32, .options = {.graphs = false}}, list_devices());
  EXPECT_EQ(exact.context->precision(), DType::f32);
  EXPECT_NE(exact.line.find("activations f32, no graphs"), std::string::npos) << exact.line;
}

TEST_F(AppsCuda, StreamSaysWhetherImagesLieOnTheDevice) {
  const std::filesystem::path dir = std::filesystem::path(testing::TempDir()) / "kith_apps_stream";
  test::write_tiny_fashion_mnist(dir / "data", 20, 10, 14);
  for (const auto& [stream, resident] : {std::pair{"auto", true}, {"yes", false}, {"no", true}}) {
    StageOptions o;
    o.data = "fashion-mnist:" + (dir / "data").string();
    o.out = (dir / stream).string();
    o.device = "cuda:0";
    o.stream = stream;
    o.quiet = true;
    run_stage(o, [resident = resident](Session& s, const StageOptions&) {
      EXPECT_EQ(s.images.of(s.data.train()).streamed(), !resident);
    });
  }
  std::filesystem::remove_all(dir);
}

TEST_F(AppsCuda, ArraysAreMinedAsOnTheCpu) {
  const std::filesystem::path dir = std::filesystem::path(testing::TempDir()) / "kith_apps_cuda";
  std::filesystem::create_directories(dir);
  std::vector<float> rows(40 * 12);
  Random random(3, 0, 0, 0);
  for (float& x : rows) x = random.uniform(-1.f, 1.f);
  data::write_npy<float>(dir / "F.npy", rows, {40, 12});
  const auto mined = [&](const char* device, const char* file) {
    const OpenedContext opened = open_context({.device = device}, list_devices());
    mine_arrays(*opened.context,
                {.features = dir / "F.npy", .k = 7, .normalize = true, .out = dir / file, .scores = {}});
    return data::read_npy<int64_t>(dir / file).values;
  };
  EXPECT_EQ(mined("cuda:0", "cuda.npy"), mined("cpu", "cpu.npy"));
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace kith
