#include "apps/answers/answer_commands.h"

namespace kith {

void add_answer_commands(CLI::App& app) {
  add_predict_command(app);
  add_features_command(app);
  add_neighbours_command(app);
  add_graph_command(app);
  add_sort_command(app);
  add_gallery_command(app);
}

}  // namespace kith
