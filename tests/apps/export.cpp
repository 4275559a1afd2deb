// kith export as a user calls it.
#include <gtest/gtest.h>

#include "tests/apps/run_fixture.h"
#include "tests/apps/terminal.h"
#include "tests/support/flipped.h"

namespace kith::test {
namespace {

class ExportCommand : public Runs {
 protected:
  std::string path(const std::string& name) const { return (root_ / name).string(); }
};

TEST_F(ExportCommand, WritesTheNetworkOfARunAndReadsNothingElse) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  fs::remove_all(root_ / "data");
  const Outcome o = kith({"export", "--run", path("a"), "--onnx", path("net.onnx")});
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(unwrapped(o.out),
            path("net.onnx") +
                ": selflabel: images [batch, 1, 8, 8] in 0..1 -> logits, probabilities [batch, 10], features "
                "[batch, 32]\n");
  EXPECT_NE(text_of(root_ / "net.onnx").find("backbone.layer4.1.bn2"), std::string::npos);
  EXPECT_NE(unwrapped(kith({"export", "--run", path("a"), "--onnx", path("scan.onnx"), "--stage", "cluster"}).out)
                .find(": cluster: "),
            std::string::npos);
  EXPECT_NE(text_of(root_ / "scan.onnx"), text_of(root_ / "net.onnx"));

  // Weights that are not as their stage wrote them make no network for others.
  const std::string before = text_of(root_ / "net.onnx");
  const fs::path weights = root_ / "a" / "selflabel.safetensors";
  flip_bit(weights);
  EXPECT_EQ(
      kith({"export", "--run", path("a"), "--onnx", path("net.onnx")}).err,
      "kith: error: " + weights.string() +
          ": not the bytes that the stage selflabel wrote: damaged, or changed by hand; restore it, or remove it, "
          "and kith run trains that stage again\n");
  EXPECT_TRUE(text_of(root_ / "net.onnx") == before);
}

TEST_F(ExportCommand, SaysInOneLineWhatIsWrong) {
  ASSERT_EQ(kith(command("pretext", "a", {"--quiet"})).status, 0);
  const auto error = [&](const std::string& run, const std::string& onnx) {
    const Outcome o = kith({"export", "--run", path(run), "--onnx", path(onnx)});
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.out, "");
    return o.err;
  };
  EXPECT_EQ(error("b", "net.onnx"), "kith: error: " + path("b") + ": no run directory (it has no config.toml)\n");
  EXPECT_EQ(error("a", "net.onnx"),
            "kith: error: " + path("a/selflabel.safetensors") + ": missing; run the selflabel stage first\n");
  EXPECT_EQ(error("a", "none/net.onnx"),
            "kith: error: " + path("none/net.onnx") + ": cannot create: no such folder: " + path("none") + "\n");
  EXPECT_FALSE(fs::exists(root_ / "net.onnx"));
  EXPECT_EQ(error("a", "a/config.toml"),
            "kith: error: --onnx " + path("a/config.toml") + ": expected a name ending in .onnx\n");
  EXPECT_EQ(kith({"export", "--run", "a"}).err, "kith: error: --onnx is required (kith export --help)\n");
  EXPECT_EQ(kith({"export", "--run", "a", "--onnx", "b", "--stage", "mine"}).status, 2);
}

}  // namespace
}  // namespace kith::test
