// Ctrl-C, SIGTERM, SIGUSR1 and a closed terminal (SIGHUP, unless nohup ignores it) ask the program to save and stop; a second
// signal ends it at once. mpirun forwards SIGUSR1 to its ranks at once; after a SIGTERM it leaves them a second.
#pragma once

namespace kith {

void catch_stop_signals();
void catch_stop_signals_quietly();  // where another process says it
// SIGBUS, of a mapped data file that became shorter: one line, exit status 1. SIGXFSZ (ulimit -f) leaves it to the write to fail.
void catch_lost_files();
int stop_signal();  // the signal that has arrived, or 0

}  // namespace kith
