// What rank 0 does alone, what all do together, and how an error on one of them ends all.
#include "scan/run/ranks.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nn/state/safetensors.h"
#include "tests/scan/stages/ranks_support.h"

namespace kith {
namespace {

using namespace test;

// What comes of an Error on one rank, or of a wish to stop: the same end on all.
enum class End : uint8_t { none, error_of_all, said_by_another, interrupted };
End end_of(const std::function<void()>& f, std::string* text = nullptr) {
  try {
    f();
  } catch (const ErrorOfAll& e) {
    if (text != nullptr) *text = e.what();
    return End::error_of_all;
  } catch (const SaidByAnother&) {
    return End::said_by_another;
  } catch (const Interrupted&) {
    return End::interrupted;
  }
  return End::none;
}

TEST(RanksTogether, OneSaysWhatEndsAll) {
  on_thread_ranks(3, [](const std::shared_ptr<Collective>& ranks) {
    const int rank = ranks->rank();
    std::string text;
    // Of two that fail the lower one speaks.
    EXPECT_EQ(end_of(
                  [&] {
                    together(*ranks, [&] {
                      if (rank > 0) throw Error("no room");
                    });
                  },
                  &text),
              rank == 1 ? End::error_of_all : End::said_by_another);
    EXPECT_EQ(text, rank == 1 ? "rank 1: no room" : "");
    EXPECT_EQ(end_of([&] { alone(*ranks, [] { throw Error("disk full"); }); }, &text),
              rank == 0 ? End::error_of_all : End::said_by_another);
    if (rank == 0) {
      EXPECT_EQ(text, "disk full");
    }
    EXPECT_EQ(end_of([&] { alone(*ranks, [] { throw Interrupted{}; }); }), End::interrupted);
    EXPECT_EQ(end_of([&] { together(*ranks, [] {}); }), End::none);
  });
}

TEST(RanksTogether, RankZeroIsOneRankWhileItIsAlone) {
  on_thread_ranks(2, [](const std::shared_ptr<Collective>& ranks) {
    int calls = 0;
    alone(*ranks, [&] {
      ++calls;
      EXPECT_EQ(ranks->size(), 1);
      EXPECT_EQ(ranks->highest(7), 7);
      alone(*ranks, [&] { ++calls; });
    });
    EXPECT_EQ(calls, ranks->rank() == 0 ? 2 : 0);
    EXPECT_EQ(ranks->size(), 2);
  });
}

TEST(RanksTogether, AllHaveWhatTheFirstReads) {
  on_thread_ranks(3, [](const std::shared_ptr<Collective>& ranks) {
    const int rank = ranks->rank();
    EXPECT_TRUE(answer_of_first(*ranks, [&] { return rank == 0; }));
    EXPECT_EQ(text_of_first(*ranks, [&] { return std::string(rank == 0 ? "a\0b" : "?", 3); }), std::string("a\0b", 3));
    SafeTensors file{.arrays = {}, .metadata = {{"key", "value"}}, .file = "there"};
    file.arrays["x"] = {.dtype = "F32", .shape = {1, 0, 2}, .bytes = {}};
    file.arrays["y"] = {.dtype = "U8", .shape = {2}, .bytes = {std::byte{1}, std::byte{255}}};
    const SafeTensors got = file_of_first(*ranks, [&] { return rank == 0 ? file : SafeTensors{}; });
    EXPECT_EQ(got.metadata, file.metadata);
    EXPECT_EQ(got.file, "there");
    ASSERT_EQ(got.arrays.size(), 2u);
    EXPECT_EQ(got.arrays.at("x").shape, file.arrays.at("x").shape);
    EXPECT_EQ(got.arrays.at("y").bytes, file.arrays.at("y").bytes);
    EXPECT_EQ(got.arrays.at("y").dtype, "U8");
  });
}

// 0.1 three times, and a seventh of their sum, is not 0.1 in f32: statistics that no step has moved must stay as they are.
TEST(RanksTogether, StatisticsBecomeTheirMeanAndEqualOnesStay) {
  on_thread_ranks(7, [](const std::shared_ptr<Collective>& ranks) {
    Context ctx({.threads = 1, .collective = ranks});
    Tensor same = ctx.full({3}, 0.1f), other = ctx.full({2}, static_cast<float>(ranks->rank()));
    StateView view{.parameters = {}, .buffers = {{"same", &same}, {"other", &other}}, .counters = {}};
    average_statistics(*ranks, view);
    EXPECT_EQ(same.to_host(), std::vector<float>(3, 0.1f));
    EXPECT_EQ(other.to_host(), std::vector<float>(2, 3.f));
    other.copy_from(std::vector<float>(2, static_cast<float>(ranks->rank() + 5)));
    take_statistics_of_first(*ranks, view);
    EXPECT_EQ(other.to_host(), std::vector<float>(2, 5.f));
  });
}

}  // namespace
}  // namespace kith
