// What every engine of ranks promises, of MPI: the launcher starts this program on as many ranks as tests are for.
#include "nn/device/ranks/mpi_ranks.h"

#include <iostream>

#include "tests/nn/device/ranks_contract.h"

namespace kith::test {
namespace {

std::shared_ptr<Collective>& world() {
  static std::shared_ptr<Collective> all;
  return all;
}

struct Mpi {
  static std::vector<int> sizes() { return {world()->size()}; }
  static void on_ranks(int, size_t, const std::function<void(Collective&)>& f) { f(*world()); }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Mpi, Ranks, Mpi);

TEST(RanksOfMpi, SayTheirLibrary) {
  EXPECT_EQ(world()->engine(), mpi_version());
  EXPECT_NE(mpi_version().find_first_of("0123456789"), std::string::npos) << mpi_version();
  EXPECT_EQ(mpi_version().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789. "),
            std::string::npos)
      << mpi_version();
}

}  // namespace
}  // namespace kith::test

// mpi_ranks_tests RANKS MOST_BYTES [gtest's]: the exit status is that of the rank that failed.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 3) return std::cerr << "mpi_ranks_tests RANKS MOST_BYTES\n", 2;
  kith::test::world() = kith::mpi_ranks(std::stoul(argv[2]));
  const int ranks = kith::test::world()->size();
  if (ranks != std::stoi(argv[1])) return std::cerr << ranks << " ranks, expected " << argv[1] << "\n", 1;
  const int failed = RUN_ALL_TESTS();
  std::cout << "rank " << kith::test::world()->rank() << ": " << (failed == 0 ? "passed" : "FAILED") << "\n";
  kith::test::world().reset();
  return failed;
}
