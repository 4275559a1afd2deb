// Standard output as the result of a command.
#pragma once

namespace kith {

// Error, one line with the system's reason: a full disk or a closed pipe shows only here.
void flush_output();

// What flush_output() throws, for a call that failed with this errno.
[[noreturn]] void refuse_output(int reason);

}  // namespace kith
