// --dry-run: the configuration, and the work and the time that it stands for.
#pragma once
#include "nn/device_select.h"
#include "scan/config.h"

namespace kith {

// cuda needs no card here: a plan for another machine. auto is this machine's device.
void print_plan(RunConfig, const DeviceRequest&);

}  // namespace kith
