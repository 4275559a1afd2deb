// Threads of the CPU: how many this process may run at a time, and how they wait for each other.
//
// OpenMP's threads (libgomp's; oneDNN's are the same ones) wait at the end of every parallel part. libgomp's default turns some
// 300,000 times round a loop of pause instructions before it sleeps: 5 to 15 ms by the processor, longer than the kernel's time
// slice. Beside another program that needs a core, a thread then turns on one core for another that waits for that
// very core. The number is read from the environment before main runs: OMP_WAIT_POLICY, GOMP_SPINCOUNT.
#pragma once
#include <filesystem>
#include <string>

namespace kith {

// Turns that end before the time slice does and cover the pauses between the parallel parts of a step: about 20 us here (17 ns a
// turn, Sapphire Rapids), 50 us at most where a pause takes 140 cycles. bench/README.md has the times it was chosen by.
inline constexpr const char* kSpinCount = "1000";

struct ThreadWait {
  std::string policy;   // OMP_WAIT_POLICY as it was set; empty: it was not
  std::string spins;    // GOMP_SPINCOUNT likewise, or kSpinCount
  bool chosen = false;  // by the user, not by us
};
std::string to_string(const ThreadWait&);  // "spin 1000 times, then sleep"

// The first thing in main, before any thread and any file. Where neither variable is set the program is started again, in the
// same process, with GOMP_SPINCOUNT = kSpinCount: same arguments, open files, signal masks. What it added to the
// environment is taken out again, so that programs it starts are as the user set them. Where it cannot be started again (no
// /proc; run through the dynamic loader) threads wait as libgomp's default says. A program of your own may call it, or
// set the variable before it starts.
ThreadWait settle_thread_wait(char** argv);

// Processors that this process may keep busy: those of its affinity mask, and no more than its control groups' quota of
// processor time (cpu.max, or cpu.cfs_quota_us in version 1) rounded up. At least 1.
int available_processors();
// The quota alone, found under `groups` (/sys/fs/cgroup) for a process whose /proc/self/cgroup holds `membership`; 0: none.
double quota_of_groups(const std::filesystem::path& groups, const std::string& membership);

}  // namespace kith
