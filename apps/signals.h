// Ctrl-C and SIGTERM ask the program to save and stop; the second one ends it at once.
#pragma once

namespace kith {

void catch_stop_signals();
int stop_signal();  // the signal that has arrived, or 0

}  // namespace kith
