// kith import as a user calls it: a run goes on from weights of elsewhere, or one line says why it cannot.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "nn/state/safetensors.h"
#include "tests/apps/run_fixture.h"
#include "tests/apps/terminal.h"
#include "tests/support/flipped.h"
#include "tests/support/small_files.h"

namespace kith::test {
namespace {

class Import : public Runs {
 protected:
  std::string path(const std::string& name) const { return (root_ / name).string(); }
  std::vector<std::string> import(const std::string& file, const fs::path& out,
                                  const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = command("import", out, more);
    for (const char* theirs : {"model.width=4", "model.projection=16", "pretext.epochs=3"}) {
      const auto at = std::ranges::find(words, theirs);  // the file decides
      words.erase(at - 1, at + 1);
    }
    words.insert(words.begin() + 1, path(file));
    return words;
  }
};

TEST_F(Import, ARunGoesOnFromIt) {
  ASSERT_EQ(kith(command("pretext", "a", {"--quiet"})).status, 0);
  const Outcome o = kith(import("a/pretext.safetensors", "b"));
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.err.find("import: ResNet-18, width 4, projection to 16\n"), std::string::npos) << o.err;
  for (const char* file : {"features_train.npy", "features_test.npy"})
    EXPECT_EQ(text_of(root_ / "a" / file), text_of(root_ / "b" / file)) << file;
  const Outcome on = run("b");
  ASSERT_EQ(on.status, 0) << on.err;
  EXPECT_NE(on.err.find("pretext: done earlier"), std::string::npos) << on.err;
  EXPECT_NE(on.out.find("SCAN + self-labelling"), std::string::npos) << on.out;
  // Imported weights that are others by now are no more asked than trained on.
  const fs::path weights = root_ / "b" / "pretext.safetensors";
  flip_bit(weights);
  for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
           {"run", "--out", path("b"), "--quiet"},
           {"features", "--run", path("b"), "--data", "fashion-mnist:" + path("data"), "--out", path("F.npy")}})
    EXPECT_EQ(kith(words).err, "kith: error: " + weights.string() +
                                   ": not the bytes that the stage pretext wrote: damaged, or changed by hand; restore "
                                   "it, or kith import begins another run with such weights\n");
  flip_bit(weights);  // back
  const Outcome again = kith({"import", path("a/pretext.safetensors"), "--out", path("b")});
  EXPECT_EQ(again.err, "kith: error: " + path("b") + ": holds a run, which kith run --out " + path("b") +
                           " continues; kith import begins one; expected an empty or a new folder\n");

  const Outcome scan = kith(import("b/cluster.safetensors", "c"));
  ASSERT_EQ(scan.status, 0) << scan.err;
  EXPECT_NE(unwrapped(scan.err).find("no projection head: backbone features are mined, cluster head 0\n"),
            std::string::npos);
  const Outcome scored = kith({"evaluate", "--out", path("c"), "--threads", "1", "--json"});
  ASSERT_EQ(scored.status, 0) << scored.err;
  EXPECT_EQ(json::parse(scored.out).at("summary").at("table").back().at("name"), "SCAN");
}

// Where another program or a quota takes the room that was there at the start.
TEST_F(Import, WeightsThatCannotBeWrittenAreNoRun) {
  ASSERT_EQ(kith(command("pretext", "a", {"--quiet"})).status, 0);
  {
    const SmallFiles small(16384);  // config.toml has 4 KiB, the weights have 200
    const Outcome full = kith(import("a/pretext.safetensors", "b"));
    EXPECT_EQ(full.status, 1);
    EXPECT_NE(full.err.find("pretext.safetensors: cannot write: File too large\n"), std::string::npos) << full.err;
  }
  EXPECT_FALSE(fs::exists(root_ / "b"));
  const Outcome again = kith(import("a/pretext.safetensors", "b"));
  EXPECT_EQ(again.status, 0) << again.err;
}

// The bytes of the header's length may be those that another kind of file begins with, as 0x80 is a pickle's.
TEST_F(Import, AHeaderMayHaveAnyLength) {
  ASSERT_EQ(kith(command("pretext", "a", {"--quiet"})).status, 0);
  const std::string file = text_of(root_ / "a" / "pretext.safetensors");
  size_t length = 0;
  std::memcpy(&length, file.data(), 8);
  const size_t padded = (length + 0xff) / 0x100 * 0x100 + 0x80;
  std::string again(8, '\0');
  std::memcpy(again.data(), &padded, 8);
  again += file.substr(8, length) + std::string(padded - length, ' ') + file.substr(8 + length);
  ASSERT_EQ(again[0], '\x80');
  std::ofstream(root_ / "padded.safetensors", std::ios::binary) << again;
  const Outcome o = kith(import("padded.safetensors", "b", {"--quiet"}));
  EXPECT_EQ(o.status, 0) << o.err;
}

TEST_F(Import, AnErrorIsOneLineAndLeavesNothing) {
  ASSERT_EQ(kith(command("pretext", "a", {"--quiet"})).status, 0);
  SafeTensors file = read_safetensors(root_ / "a" / "pretext.safetensors");
  file.arrays.erase("backbone.bn1.bias");
  write_safetensors(root_ / "bad.safetensors", {.arrays = file.arrays});
  std::ofstream(root_ / "text.safetensors") << "no weights at all";
  std::ofstream(root_ / "bytes.safetensors") << "\1\2\3\4\5\6\7\1\2\3";
  std::ofstream(root_ / "picture.png") << "\x89PNG\r\n\x1a\n";
  std::ofstream(root_ / "weights.zip") << "PK\3\4 ... weights.txt";
  std::ofstream(root_ / "new.pth") << "PK\3\4 ... archive/data.pkl";
  std::ofstream(root_ / "old.pth") << "\x80\2}q";
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {import("bad.safetensors", "b"), "bad.safetensors: state does not fit: missing backbone.bn1.bias. To leave"},
      {import("text.safetensors", "b"), "text.safetensors: is text that begins 'no weights at all'; expected weights "},
      {import("bytes.safetensors", "b"),
       "bytes.safetensors: not a safetensors file (10 bytes): expected the length of a "},
      {import("picture.png", "b"), "picture.png: is a PNG image; expected weights as safetensors\n"},
      {import("weights.zip", "b"), "weights.zip: is a zip archive; expected weights as safetensors\n"},
      {import("new.pth", "b"), "new.pth: looks like a file of torch.save; expected safetensors, docs/weights.md has "},
      {import("old.pth", "b"), "old.pth: looks like a file of torch.save; expected safetensors, docs/weights.md has "},
      {import("none.safetensors", "b"), "none.safetensors: cannot open"},
      {import("a/pretext.safetensors", "b", {"--ignore", "projector."}), ": no tensor begins with projector."},
      {import("a/pretext.safetensors", "b", {"--head", "1"}), ": --head 1: the file has no cluster head"},
      {import("a/pretext.safetensors", "b", {"--set", "model.width=8"}),
       "F32 [8, 1, 3, 3] expected, found F32 [4, 1, 3, 3]"},
  };
  for (const auto& [words, message] : cases) {
    std::vector<std::string> quiet = words;
    quiet.push_back("--quiet");
    const Outcome o = kith(quiet);
    EXPECT_EQ(o.status, 1) << message;
    EXPECT_TRUE(o.err.starts_with("kith: error: ")) << o.err;
    EXPECT_NE(o.err.find(message), std::string::npos) << o.err;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
    EXPECT_FALSE(fs::exists(root_ / "b")) << message;
  }
  EXPECT_EQ(kith({"import", "--out", "x"}).err, "kith: error: file is required (kith import --help)\n");
  EXPECT_EQ(kith({"import", "x", "--out", "y", "--dry-run"}).status, 2);
}

}  // namespace
}  // namespace kith::test
