// Ctrl-C, SIGTERM and a closed terminal (SIGHUP, unless nohup ignores it) ask the program to save and stop; a second signal
// ends it at once.
#pragma once

namespace kith {

void catch_stop_signals();
int stop_signal();  // the signal that has arrived, or 0

}  // namespace kith
