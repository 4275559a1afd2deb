#include "scan/report/page_scores.h"

#include <fmt/format.h>

#include <algorithm>

#include "scan/report/page_shell.h"
#include "scan/report/page_svg.h"
#include "scan/text/table.h"

namespace kith {

std::string score_section(const MethodScores& methods, ManyToOne many_to_one) {
  if (methods.empty()) return "";
  Scores best;
  for (const auto& [name, s] : methods)
    best = {.acc = std::max(best.acc, s.acc),
            .nmi = std::max(best.nmi, s.nmi),
            .ari = std::max(best.ari, s.ari),
            .acc_many_to_one = std::max(best.acc_many_to_one, s.acc_many_to_one)};
  const auto cell = [&](double value, double most) {  // equal as shown is equal; of one row there is no best
    const bool is_best = methods.size() > 1 && percent(value) == percent(most);
    return fmt::format("<td{}>{}</td>", is_best ? " class=\"best\"" : "", percent(value));
  };
  const bool many = many_to_one == ManyToOne::shown;
  std::string rows;
  for (const auto& [name, s] : methods)
    rows += fmt::format("<tr><td>{}</td>{}<td class=\"bar\"><div style=\"width:{:.1f}%\"></div></td>{}{}{}</tr>\n",
                        escape_html(name), cell(s.acc, best.acc), 100 * s.acc,
                        many ? cell(s.acc_many_to_one, best.acc_many_to_one) : "", cell(s.nmi, best.nmi),
                        cell(s.ari, best.ari));
  return html_section(
      "Scores",
      fmt::format("Per cent. ACC: clusters matched one-to-one to classes{}. NMI: normalised mutual "
                  "information. ARI: adjusted Rand index. Labels are used for these figures only<span class=\"bar\">; "
                  "bars show ACC</span>.",
                  many ? ", which leaves some out where there are not as many; many-to-one: each counted for its most "
                         "frequent class"
                       : ""),
      html_scroll(fmt::format(
          "<table class=\"scores\"><tr><th>Method</th><th>ACC</th><th class=\"bar\"></th>{}<th>NMI</th><th>ARI</th>"
          "</tr>\n{}</table>",
          many ? "<th>ACC, many-to-one</th>" : "", rows)));
}

}  // namespace kith
