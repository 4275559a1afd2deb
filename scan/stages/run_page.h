// report.html of a run.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "scan/report/page.h"
#include "scan/run/session.h"

namespace kith {

// Adds to `page` what the run directory and the summary's `judged` say: title, facts, curves; then writes it.
void write_run_page(const Session&, int clusters, const nlohmann::json& judged, PageInput page);

}  // namespace kith
