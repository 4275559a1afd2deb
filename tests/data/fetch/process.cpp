#include "data/fetch/process.h"

#include <gtest/gtest.h>

#include "tests/data/dataset/synthetic.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using test::error_of;

TEST(Process, GivesStatusAndFirstComplaint) {
  const test::TemporaryFolder dir;
  const data::Finished finished = data::run_program(
      {"sh", "-c", "echo out; echo 'npm warn x' >&2; echo bad >&2; echo more >&2; exit 3"}, dir.path());
  EXPECT_EQ(finished.code, 3);
  EXPECT_EQ(finished.message, "bad");
  EXPECT_EQ(data::run_program({"sh", "-c", "head -c 1000000 /dev/zero >&2"}, dir.path()).code, 0);
  EXPECT_EQ(error_of([&] { data::expect_program({"sh", "-c", "exit 4"}, dir.path()); }), "sh failed with status 4");
  EXPECT_EQ(error_of([&] { data::run_program({"kith-no-such-program"}, dir.path()); }),
            "kith-no-such-program is not installed");
  EXPECT_HAS(error_of([&] { data::run_program({"sh", "-c", "kill -9 $$"}, dir.path()); }), "signal 9");
  EXPECT_THROW(data::run_program({"sh", "-c", "kill -INT $$"}, dir.path()), data::Stopped);
  data::run_program({"touch", "a 'b\" $c;"}, dir.path());
  EXPECT_TRUE(fs::exists(dir / "a 'b\" $c;"));
}

TEST(Process, GivesWhatAProgramWrites) {
  EXPECT_EQ(data::output_of({"printf", "%s\\n", "a 'b\" $c;", "two"}), "a 'b\" $c;\ntwo\n");
  EXPECT_EQ(data::output_of({"sh", "-c", "cat; echo out; echo bad >&2"}), "out\n");
  EXPECT_EQ(data::output_of({"sh", "-c", "echo out; exit 3"}), "");
  EXPECT_EQ(data::output_of({"sh", "-c", "echo out; kill -9 $$"}), "");
  EXPECT_EQ(data::output_of({"kith-no-such-program"}), "");
}

}  // namespace
}  // namespace kith
