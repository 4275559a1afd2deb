#include "scan/metrics/neighbour_lists.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "data/formats/csr.h"
#include "data/formats/npy.h"
#include "tests/support/error_of.h"

namespace kith::test {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

// Of four rows, unless a case says otherwise.
class GivenLists : public testing::Test {
 protected:
  ~GivenLists() override { std::filesystem::remove(npy), std::filesystem::remove(npz); }

  std::vector<int64_t> of_floats(const std::vector<double>& values) const {
    data::write_npy<double>(npy, values, {4, static_cast<int64_t>(values.size()) / 4});
    return read_neighbour_lists(npy, 4, false).index;
  }
  // Each row names the next one, with these similarities.
  NeighbourLists of_graph(int64_t rows, int64_t columns, double first = 1) const {
    data::CsrGraph g{.rows = rows, .columns = columns, .starts = {0}, .indices = {}, .values = {}};
    for (int64_t i = 0; i < rows; ++i) {
      g.indices.push_back((i + 1) % 3), g.values.push_back(i == 0 ? first : 1);
      g.starts.push_back(i + 1);
    }
    data::write_csr(npz, g);
    return read_neighbour_lists(npz, 4, true);
  }
  const std::filesystem::path stem = testing::TempDir() + "kith_given_lists_" + std::to_string(getpid()),
                              npy = stem.string() + ".npy", npz = stem.string() + ".npz";
};

TEST_F(GivenLists, MayBeWholeNumbersInFloats) {
  EXPECT_EQ(of_floats({1, 2, 3, -1}), (std::vector<int64_t>{1, 2, 3, -1}));
}

TEST_F(GivenLists, OfWhatIsNoNumberAreRefusedByTheRow) {
  for (const auto& [value, text] : {std::pair(kNoNumber, "nan"), {0.5, "0.5"}, {0x1p60, "1.152921504606847e+18"}})
    EXPECT_EQ(error_of([&, v = value] {
                of_floats({1, 2, 2, 3, 3, v, 0, 1});
              }),
              npy.string() + ": row 2 has the neighbour " + text + ", expected a whole number, or -1: none");
}

TEST_F(GivenLists, AreAGraphAmongTheImages) {
  EXPECT_EQ(of_graph(4, 4).index, (std::vector<int64_t>{1, 2, 0, 1}));
  for (const auto& [rows, columns] : {std::pair(4, 3), {4, 5}, {3, 4}})
    EXPECT_EQ(error_of([&, r = rows, c = columns] { of_graph(r, c); }),
              npz.string() + ": shape [" + std::to_string(rows) + ", " + std::to_string(columns) +
                  "], expected [4, 4]: a row and a column for each image");
}

TEST_F(GivenLists, EdgesWithoutASimilarityAreCounted) {
  const NeighbourLists lists = of_graph(4, 4, kNoNumber);
  EXPECT_EQ(lists.index, (std::vector<int64_t>{-1, 2, 0, 1}));
  EXPECT_EQ(lists.unlike, 1);
  EXPECT_EQ(lists.empty, 1);
  EXPECT_EQ(of_graph(4, 4).unlike, 0);
}

}  // namespace
}  // namespace kith::test
