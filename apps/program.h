// The program kith: its commands, and how what they throw becomes a line and an exit status.
#pragma once

namespace kith {

// The exit status: 0 done   1 error   2 wrong usage   130, 143, 129, 138 stopped by Ctrl-C, SIGTERM, SIGHUP, SIGUSR1 after saving
int program(int argc, char** argv);

}  // namespace kith
