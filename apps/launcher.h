// mpirun as a child of kith run --ranks N. It has a process group of its own: a Ctrl-C of the terminal comes here alone.
//
// A stop signal (signals.h) goes on to the ranks as SIGUSR1, on which they save and stop, as soon as they listen: before that it
// would be lost, or end one of them. Where they do not listen in time the start is given up: the launcher gets SIGTERM. A second
// signal ends the ranks on this machine at once, and the launcher, which removes its own files first. Whichever way it ends, what
// it leaves running on this machine is ended after it.
#pragma once
#include <chrono>
#include <string>
#include <vector>

namespace kith {

struct LauncherEnd {
  int status = 0;  // its exit status, or 128 + signal; after a stop signal 128 + that signal, unless all was done
  bool given_up = false;  // stopped before the ranks listened, and no rank has said so
};
// How long ranks may take to listen after a stop signal, a launcher that was given up to end, and one whose ranks were ended.
// Error: the launcher cannot be started; a rank was ended by a signal.
struct LauncherPatience {
  std::chrono::milliseconds listen{1000}, end{5000}, tidy{1000};
};
LauncherEnd run_launcher(const std::vector<std::string>& words, LauncherPatience = {});

bool started_by_kith();  // whether run_launcher's launcher has started this process
// To run_launcher, where it has:
void say_ranks_listen();   // all ranks have called catch_stop_signals()
void say_ranks_stopped();  // this rank tells the user so; ranks that begin to listen while they are given up may

}  // namespace kith
