// Ranks that are processes, by MPI: an engine of Collective for the CPU, where the build has one (KITH_MPI).
//
// Sums are in the order of the ranks (collective.h): numbers move by Alltoallv and Allgatherv, and are added here. MPI's own sums
// depend on the number of ranks, the length and the library, in some on the call's number.
// Ranks that wait give their processor away, and sleep after a while: a rank that works alone for minutes has the machine.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "nn/device/ranks/collective.h"

namespace kith {

// The ranks that the launcher says it started, this process among them: from OMPI_COMM_WORLD_SIZE (Open MPI), PMI_SIZE (MPICH) or
// SLURM_STEP_NUM_TASKS (srun). None: this process was started by itself.
struct Announced {
  int rank = 0, size = 1;
  int here = 1;          // of them on this machine, as far as it is said; else all
  int place = 0;         // of this one among those
  std::string variable;  // that said so
};
std::optional<Announced> announced_ranks();
// The same of launchers that know no MPI, torchrun and its like: WORLD_SIZE and RANK. None: an MPI's launcher is there too.
std::optional<Announced> announced_without_mpi();

std::string mpi_version();   // "Open MPI 4.1.4"; empty: this build has no MPI
std::string mpi_launcher();  // path of mpirun, as it was when this was built

// All processes of the launcher; to be called once, by the main thread. MPI ends when it is destroyed.
// Error: no MPI in this build; MPI does not start; its size is not the announced one, because the launcher belongs to another
// MPI.
std::shared_ptr<Collective> mpi_ranks(size_t most_bytes = size_t{1} << 30);

// Ends all processes with that exit status, where MPI has begun; returns where it has not.
void abort_ranks(int status);

}  // namespace kith
