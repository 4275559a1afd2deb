// report.html of a run.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "scan/report/page.h"
#include "scan/run/session.h"

namespace kith {

// "cifar10", and of pictures the folder or the list as well: "folder photos", "list train.csv".
std::string shown_data(const std::string& spec);

// Adds to `page` what the run directory and the summary's `judged` say: title, facts, curves; then writes it.
void write_run_page(const Session&, int clusters, const nlohmann::json& judged, PageInput page);

}  // namespace kith
