// Ctrl-C, SIGTERM, SIGUSR1 and a closed terminal (SIGHUP, unless nohup ignores it) ask the program to save and stop; a second
// signal ends it at once. mpirun forwards SIGUSR1 to its ranks at once; after a SIGTERM it leaves them a second.
#pragma once
#include <sys/types.h>

#include <span>

#include "scan/run/reporter.h"

namespace kith {

void catch_stop_signals();
// The same of one of several ranks: where another has ended, whose launcher ends this one by SIGTERM, that is said. `ranks`:
// their processes; 0 where one is on another machine.
void catch_stop_signals(std::span<const pid_t> ranks);
void catch_stop_signals_quietly();  // where another process says it
void keep_second_signal();  // it ends nothing by itself then, second_signal() tells of it; a third ends the program at once
bool second_signal();
// SIGBUS, of a mapped data file that became shorter: one line, exit status 1. SIGXFSZ (ulimit -f) leaves it to the write to fail.
void catch_lost_files();
int stop_signal();      // the signal that has arrived, or 0
bool stop_announced();  // whether this process has said that it stops
// What is said where it was done all the same, since nothing was left that could be stopped.
inline constexpr char kDoneBeforeStop[] = "all was done before it could stop";
inline constexpr char kStopped[] = "stopped; the same command continues";
inline constexpr char kNothingSaved[] = "stopped before anything was saved; the same command starts again";
struct StoppedUnsaved : Interrupted {};  // where that is so

}  // namespace kith
