#include "apps/answers/gallery_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/dataset/contact_sheet.h"
#include "data/dataset/pictures.h"
#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "data/formats/png.h"
#include "data/formats/text.h"
#include "scan/report/page_shell.h"
#include "scan/report/page_svg.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

constexpr int kColumns = 10, kGap = 2;  // of data::contact_sheet

using Members = std::vector<Gallery::Member>;

// The surest, then the least sure of the others, the least sure last.
Members shown(const Gallery& g, const Members& all) {
  const size_t most = std::min(all.size(), static_cast<size_t>(g.most)),
               least = std::min(all.size() - most, static_cast<size_t>(g.least));
  Members out(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(most));
  out.insert(out.end(), all.end() - static_cast<std::ptrdiff_t>(least), all.end());
  return out;
}

const NamedImages& part_of(const Gallery& g, const Gallery::Member& m) { return g.parts[m.part]; }

// Decoded anew where they are files, at the size of a tile; else enlarged by a whole factor.
data::Images tiles(const Gallery& g, const Members& members) {
  std::vector<std::string> files;
  for (const Gallery::Member& m : members)
    if (const data::Images& images = part_of(g, m).images; !images.files.empty())
      files.push_back(images.files[static_cast<size_t>(m.index)]);
  if (!files.empty()) return data::load_pictures(files, {.size = g.tile, .background = g.background});
  const data::Images& first = part_of(g, members.front()).images;
  data::Images out{.count = static_cast<int64_t>(members.size()),
                   .height = first.height,
                   .width = first.width,
                   .channels = first.channels};
  std::vector<uint8_t> pixels;
  for (const Gallery::Member& m : members) {
    const data::Images one = part_of(g, m).images.part(m.index, 1);
    pixels.insert(pixels.end(), one.pixels.begin(), one.pixels.end());
  }
  out.pixels = std::move(pixels);
  return out;
}

// A path as a link of a page: what is not plain in a URL becomes %XX.
std::string url_of(const std::string& path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("/._-~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string link_to(const std::string& file, const fs::path& out) {
  std::error_code failed;
  const fs::path relative = fs::relative(file, out, failed);
  return url_of((failed || relative.empty() ? fs::absolute(file) : relative).string());
}

std::string tile_html(const Gallery& g, const Gallery::Member& m, size_t at, int side_x, int side_y,
                      const std::string& sheet, const fs::path& out) {
  const NamedImages& part = part_of(g, m);
  const int x = kGap + static_cast<int>(at % kColumns) * (side_x + kGap),
            y = kGap + static_cast<int>(at / kColumns) * (side_y + kGap);
  const std::string& name = part.names[static_cast<size_t>(m.index)];
  const std::string href = part.images.files.empty() ? "" : fmt::format(" href=\"{}\"", link_to(name, out));
  return fmt::format("<a{} title=\"{}, {:.1f} %\" style=\"width:{}px;height:{}px;background:url({}) -{}px -{}px\"></a>",
                     href, escape_html(name), 100 * m.confidence, side_x, side_y, sheet, x, y);
}

std::string cluster_html(const Gallery& g, size_t cluster, const fs::path& out) {
  const Members& all = g.of_cluster[cluster];
  const std::string name = g.clusters[cluster].empty()
                               ? fmt::format("Cluster {}", cluster)
                               : fmt::format("Cluster {}: {}", cluster, data::printable(g.clusters[cluster]));
  if (all.empty()) return html_section(escape_html(name), "", "<p>Empty: no image is in it, and it has no PNG.</p>");
  const Members members = shown(g, all);
  const data::Images pictures = tiles(g, members);
  const int scale = std::max(1, g.tile / pictures.width);
  std::vector<int64_t> cells(members.size());
  for (size_t i = 0; i < cells.size(); ++i) cells[i] = static_cast<int64_t>(i);
  const std::string sheet = fmt::format("cluster_{}.png", cluster);
  data::write_png(out / sheet, data::contact_sheet(pictures, cells, kColumns, scale));
  const size_t surest = std::min(all.size(), static_cast<size_t>(g.most));
  std::string body = "<div class=\"tiles\">";
  for (size_t i = 0; i < members.size(); ++i) {
    if (i == surest) body += "</div><h3>Least sure</h3><div class=\"tiles\">";
    body += tile_html(g, members[i], i, pictures.width * scale, pictures.height * scale, sheet, out);
  }
  double mean = 0;
  for (const Gallery::Member& m : all) mean += m.confidence / static_cast<double>(all.size());
  return html_section(
      escape_html(name),
      fmt::format("{}, mean confidence {:.1f} %; the surest first", data::counted(all.size(), "image"), 100 * mean),
      body + "</div>");
}

constexpr char kTileStyle[] =
    "<style>.tiles{display:flex;flex-wrap:wrap;gap:4px}.tiles a{display:block;border-radius:3px;background-color:#fff;"
    "outline:1px solid var(--frame)}</style>";  // a frame shows where a picture ends that lies on white

}  // namespace

void write_gallery(const Gallery& g, const fs::path& out) {
  int64_t images = 0;
  for (const Members& members : g.of_cluster) images += static_cast<int64_t>(members.size());
  std::string body = fmt::format("{}<p>By the run {}.</p>", kTileStyle, escape_html(g.run));
  body += html_facts(g.made);
  for (size_t c = 0; c < g.clusters.size(); ++c) body += cluster_html(g, c, out);
  body += html_command(g.command);
  data::write_file(out / "index.html",
                   {data::as_bytes(html_page(
                       fmt::format("{} in {} clusters", data::counted(images, "image"), g.clusters.size()), body))});
}

}  // namespace kith
