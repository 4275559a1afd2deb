// mbarriers, tensor copies and products of warpgroups for the SIMT runner, for the wrappers of kernels/cuda/core.
#pragma once
#include "tests/simt/runner/hopper.h"
