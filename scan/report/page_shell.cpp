#include "scan/report/page_shell.h"

#include <fmt/format.h>

#include "scan/report/page_style.h"
#include "scan/report/page_svg.h"

namespace kith {
namespace {

// Says the value of a curve's point that is nearest to the pointer or finger, or that arrow keys have come to. It listens to the
// whole document: the page of a run at work gets new charts.
constexpr char kChartScript[] = R"js(<script>
(() => {
  const show = (svg, i) => {
    const points = [...svg.querySelectorAll(".value")];
    points.forEach((point, j) => point.classList.toggle("shown", j === i));
    svg.dataset.at = i;
    svg.querySelector(".read").textContent = i < 0 ? "" : points[i].textContent;
    const now = {role: "slider", "aria-valuemin": 0, "aria-valuemax": points.length - 1, "aria-valuenow": Math.max(i, 0),
                 "aria-valuetext": i < 0 ? "arrow keys read its values" : points[i].textContent};
    Object.entries(now).forEach(([name, value]) => svg.setAttribute(name, value));
  };
  const chart = event => event.target instanceof Element && event.target.closest(".chart");
  const point = event => {
    const svg = chart(event);
    if (!svg) return;
    const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const off = [...svg.querySelectorAll(".value")].map(v => Math.abs(v.getAttribute("cx") - x));
    show(svg, off.indexOf(Math.min(...off)));
  };
  for (const kind of ["pointermove", "pointerdown"]) document.addEventListener(kind, point);
  document.addEventListener("focusin", event => chart(event) && show(chart(event), -1));
  document.addEventListener("focusout", event => chart(event) && show(chart(event), -1));
  document.addEventListener("pointerout", event => event.pointerType === "mouse" && chart(event) && show(chart(event), -1));
  document.addEventListener("keydown", event => {
    const svg = chart(event);
    if (!svg) return;
    const at = +svg.dataset.at, n = svg.querySelectorAll(".value").length;
    const step = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1}[event.key];
    const to = step ? (Math.max(at, step < 0 ? 0 : -1) + step + n) % n : {Home: 0, End: n - 1}[event.key];
    if (to !== undefined) event.preventDefault(), show(svg, to);
    if (event.key === "Escape") show(svg, -1);
  });
})();
</script>
)js";

}  // namespace

std::string html_section(const std::string& heading, const std::string& about, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format("<section>\n<h2>{}</h2>\n<p>{}</p>\n{}</section>\n", heading, about, body);
}

std::string html_facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string out;
  for (const auto& [name, value] : facts)
    out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(name), escape_html(value));
  return out.empty() ? "" : fmt::format("<dl>\n{}</dl>\n", out);
}

std::string html_command(const std::string& command) {
  return html_section("How it was made", "This command wrote the page.",
                      command.empty() ? "" : fmt::format("<pre>{}</pre>\n", escape_html(command)));
}

std::string html_origin(const std::string& command, const std::string& note, const std::string& title,
                        const std::string& settings) {
  return html_section("How it was made",
                      "This command makes it anew, where the data lies in the same place." +
                          (note.empty() ? "" : " " + escape_html(note)),
                      fmt::format("<pre>{}</pre>\n<details><summary>{}</summary>{}</details>\n", escape_html(command),
                                  escape_html(title), settings));
}

std::string html_scroll(const std::string& body) { return "<div class=\"scroll\" tabindex=\"0\">" + body + "</div>\n"; }

std::string html_page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>{0}</title>\n<style>{1}</style>\n"
      "</head>\n<body>\n<main>\n<h1>{0}</h1>\n{2}"
      "<footer>Written by kith.</footer>\n</main>\n{3}</body>\n</html>\n",
      escape_html(title), kPageStyle, body, body.find("<svg class=\"chart\"") == body.npos ? "" : kChartScript);
}

}  // namespace kith
