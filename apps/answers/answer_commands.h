// kith predict | features | neighbours | graph | sort | gallery: what a finished run says of images.
#pragma once
#include <CLI/CLI.hpp>

namespace kith {

void add_answer_commands(CLI::App& app);  // all of them
void add_predict_command(CLI::App& app);
void add_features_command(CLI::App& app);
void add_neighbours_command(CLI::App& app);
void add_graph_command(CLI::App& app);
void add_sort_command(CLI::App& app);
void add_gallery_command(CLI::App& app);

}  // namespace kith
