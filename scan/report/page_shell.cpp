#include "scan/report/page_shell.h"

#include <fmt/format.h>

#include "scan/report/page_style.h"
#include "scan/report/page_svg.h"

namespace kith {

std::string html_section(const std::string& heading, const std::string& about, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format("<section>\n<h2>{}</h2>\n<p>{}</p>\n{}</section>\n", heading, about, body);
}

std::string html_scroll(const std::string& body) { return "<div class=\"scroll\" tabindex=\"0\">" + body + "</div>\n"; }

std::string html_page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>{0}</title>\n<style>{1}</style>\n"
      "</head>\n<body>\n<main>\n<h1>{0}</h1>\n{2}"
      "<footer>Written by kith.</footer>\n</main>\n</body>\n</html>\n",
      escape_html(title), kPageStyle, body);
}

}  // namespace kith
