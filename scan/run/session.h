// The arguments of every stage of a run.
#pragma once
#include <filesystem>

#include "data/dataset/dataset.h"
#include "scan/config/config.h"
#include "scan/input/image_source.h"
#include "scan/run/ledger.h"
#include "scan/run/reporter.h"

namespace kith {

struct Session {
  Context& ctx;
  const RunConfig& config;
  const data::Dataset& data;  // already resized and limited as config.data says
  std::filesystem::path dir;  // exists
  Reporter& report;
  Residency residency = Residency::automatic;  // of the images
  mutable Ledger ledger{config, data, dir};    // keeps what it has digested
  mutable ImageSources images{ctx, residency};
};

}  // namespace kith
