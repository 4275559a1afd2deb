#include "scan/report/page_confusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "scan/report/page_pictures.h"
#include "scan/report/page_shell.h"
#include "scan/report/page_svg.h"

namespace kith {

std::string confusion_section(const Evaluation& e, const std::string& what, int largest) {
  const Contingency& table = e.table;
  if (std::max(table.clusters, table.classes) > largest) return "";
  const std::vector<int> class_of = shown_classes(e);
  std::vector<int> order(static_cast<size_t>(table.clusters));
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](int c) { return class_of[c] < 0 ? table.classes : class_of[c]; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return rank(a) < rank(b); });
  HeatMap map{.x_label = "class (label)",
              .y_label = table.clusters != table.classes ? "cluster: most frequent class" : "cluster: matched class",
              .columns = e.class_names,
              .rows = {},
              .counts = {}};
  for (const int c : order) {
    map.rows.push_back(fmt::format("{}: {}", c, class_of[c] < 0 ? "none" : e.class_names[class_of[c]]));
    for (int k = 0; k < table.classes; ++k) map.counts.push_back(table.at(c, k));
  }
  return html_section("Confusion matrix", what + " of each cluster by class; the shade is the share of the cluster.",
                      html_scroll(to_svg(map)));
}

}  // namespace kith
