// One command as several processes (nn/device/ranks/mpi_ranks.h): kith run --ranks N starts them, or mpirun started this one.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/device/device_select.h"
#include "nn/device/ranks/collective.h"

namespace kith {

// This process ends with that status, and has nothing to say.
struct EndQuietly {
  int status = 0;
};

// Before the command line is read. Error, on the first process: a launcher started several of a command that works as one, or one
// that knows no MPI started several, of which each would take itself for the only one.
void expect_command_of_ranks(const std::vector<std::string>& arguments);

// The processes that this command works with; one_rank() where it is alone. Where --ranks wants several and no launcher has
// started them, mpirun is started with this command, and this process throws EndQuietly once that has ended; Ctrl-C and SIGTERM
// reach the ranks meanwhile (launcher.h). `saved`: a file that is there where a command that was stopped goes on; empty: none is.
// Error: no MPI; the launcher announced another number.
std::shared_ptr<Collective> join_ranks(std::optional<int> wanted, const std::filesystem::path& saved);

// mpirun's words before the command's: as many ranks on this machine, whatever its processors; no rank bound to one of them,
// since two commands side by side would share the first; waiting ranks give way to others.
std::vector<std::string> launch_words(const std::string& launcher, const std::string& version, int ranks, bool as_root);

// That --ranks starts where so many processors may be used: more would get nothing done but exchange.
int most_ranks(int available);

// Threads of each of `here` ranks on a machine: their share of what may run, at least 1.
int threads_of_rank(int available, int here);
// The same of this process, where the command line asks for none (0) and OMP_NUM_THREADS says nothing; else what they say.
int threads_of_rank(const Collective&, int asked);

// Process ids, 0 of one on another machine. A call of all ranks.
std::vector<pid_t> processes_of(Collective& ranks);

int ranks_here(const Collective&);  // of them on this machine

// Several ranks compute on the CPU, or with --device cuda on a card each: the first of a machine on its cuda:0, and so on. Error:
// another device is asked for, or there are fewer cards than ranks `here`.
void expect_device_of_ranks(const std::string& device, int ranks, int here, const DeviceList&);
// What --device says, for this process.
std::string device_of_rank(const std::string& device, const Collective&);

// f as one of the ranks. Where one ends by an Error of its own, that is said with its rank, and all are ended with status 1. What
// ends all of them together (scan/run/ranks.h) is said once: that rank ends with status 1, the others with 0. Interrupted comes
// out on rank 0 alone.
void as_rank(Collective&, const std::function<void()>& f);

}  // namespace kith
