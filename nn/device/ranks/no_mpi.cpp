// A build without MPI.
#include "kernels/core/check.h"
#include "nn/device/ranks/mpi_ranks.h"

namespace kith {

std::string mpi_version() { return ""; }
std::string mpi_launcher() { return ""; }
std::shared_ptr<Collective> mpi_ranks(size_t) {
  throw Error(
      "several ranks need MPI, which is not in this build: install libopenmpi-dev and openmpi-bin, configure with "
      "KITH_MPI=ON");
}
void abort_ranks(int) {}

}  // namespace kith
