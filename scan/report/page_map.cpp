#include "scan/report/page_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/formats/png.h"
#include "kernels/core/check.h"
#include "scan/report/page_pictures.h"
#include "scan/report/page_svg.h"

namespace kith {
namespace {

constexpr int kThumbnail = 24, kSheetColumns = 40;
constexpr int64_t kMostBytes = 3'000'000;
constexpr double kMapWidth = 760, kMapHeight = 560, kMapMargin = 14;
constexpr size_t kMostNamed = 40;  // clusters in the legend

// Ten that are told apart by most eyes, on white and on black; more clusters take turns round the circle of hues.
std::string map_colour(size_t cluster, size_t clusters) {
  static constexpr const char* kTen[] = {"#2f7fc1", "#e0812b", "#3c9d5a", "#d2455b", "#8c6bc1",
                                         "#96694c", "#d777b5", "#80868d", "#b0a52c", "#2aa9b8"};
  if (clusters <= std::size(kTen)) return kTen[cluster];
  return fmt::format("hsl({:.0f},60%,{}%)", std::fmod(137.508 * static_cast<double>(cluster), 360.0),
                     42 + 8 * (cluster % 3));
}

struct Sheet {
  int cell = 0;
  std::string png;
};

int cell_of(const data::Images& images) { return std::min(std::max(images.height, images.width), kThumbnail); }

// The thumbnails one after the other, in rows of kSheetColumns.
Sheet sheet_of(const std::vector<MapPoint>& points, const data::Images& images) {
  const int cell = cell_of(images), channels = images.channels;
  const int rows = (static_cast<int>(points.size()) + kSheetColumns - 1) / kSheetColumns, width = cell * kSheetColumns;
  data::Picture sheet{.height = rows * cell, .width = width, .channels = channels};
  sheet.pixels.resize(static_cast<size_t>(sheet.height) * static_cast<size_t>(width * channels));
  for (size_t p = 0; p < points.size(); ++p) {
    check(points[p].image >= 0 && points[p].image < images.count, "page: a point of the map is no image");
    data::Images one = images.part(points[p].image, 1);
    if (std::max(one.height, one.width) > cell) one = data::resized(one, cell);
    const size_t left = p % kSheetColumns * static_cast<size_t>(cell),
                 top = p / kSheetColumns * static_cast<size_t>(cell);
    const auto bytes = static_cast<size_t>(one.width * channels);
    for (size_t y = 0; y < static_cast<size_t>(one.height); ++y)
      std::copy_n(one.pixels.begin() + static_cast<ptrdiff_t>(y * bytes), bytes,
                  sheet.pixels.begin() + static_cast<ptrdiff_t>(((top + y) * static_cast<size_t>(width) + left) *
                                                                static_cast<size_t>(channels)));
  }
  return {cell, base64(data::encode_png(sheet))};
}

struct Axis {
  double low, scale, from;
  double operator()(double v) const { return from + (v - low) * scale; }
};

// One scale for both axes, so that distances compare.
std::pair<Axis, Axis> axes_of(const std::vector<MapPoint>& points) {
  const auto [left, right] = std::ranges::minmax(points, {}, &MapPoint::x);
  const auto [bottom, top] = std::ranges::minmax(points, {}, &MapPoint::y);
  const double w = right.x - left.x, h = top.y - bottom.y, width = kMapWidth - 2 * kMapMargin,
               height = kMapHeight - 2 * kMapMargin;
  const double scale = w > 0 || h > 0 ? std::min(w > 0 ? width / w : height / h, h > 0 ? height / h : width / w) : 1;
  return {{left.x, scale, kMapMargin + (width - w * scale) / 2},
          {top.y, -scale, kMapMargin + (height - h * scale) / 2}};
}

// Shows the picture of the nearest point within reach of the pointer; arrows step from point to point; a cluster's button shows
// its points alone.
constexpr char kMapScript[] = R"js(
(() => {
  const map = document.querySelector(".map"), svg = map.querySelector("svg"), card = map.querySelector(".card");
  const picture = card.firstElementChild, text = card.lastElementChild;
  const cell = +map.dataset.cell, columns = +map.dataset.columns, zoom = Math.max(1, Math.round(96 / cell));
  const points = [...svg.querySelectorAll("circle")].map(dot => {
    const title = dot.querySelector("title"), about = title.textContent;
    title.remove();
    return {dot, about, x: +dot.getAttribute("cx"), y: +dot.getAttribute("cy"), at: +dot.dataset.i};
  });
  const sheet = map.querySelector("img");
  let shown = -1;
  const show = i => {
    if (shown >= 0) points[shown].dot.classList.remove("shown");
    shown = i;
    card.hidden = i < 0;
    if (i < 0) return;
    const p = points[i], side = cell * zoom;
    p.dot.classList.add("shown");
    picture.hidden = !sheet;
    if (sheet) picture.style.cssText = `width:${side}px;height:${side}px;background-image:url(${sheet.src});` +
      `background-size:${columns * side}px auto;background-position:-${p.at % columns * side}px -${Math.floor(p.at / columns) * side}px`;
    text.textContent = p.about;
  };
  const point = event => {
    const box = svg.getBoundingClientRect(), unit = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * unit, y = (event.clientY - box.top) * unit;
    let best = -1, least = (14 * unit) ** 2;
    points.forEach((p, i) => {
      const d = (p.x - x) ** 2 + (p.y - y) ** 2;
      if (d < least && !(svg.classList.contains("one") && !p.dot.parentNode.classList.contains("on"))) least = d, best = i;
    });
    show(best);
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (step) event.preventDefault(), show((shown + step + points.length) % points.length);
    if (event.key === "Escape") show(-1);
  });
  map.querySelectorAll("button").forEach(button => button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    map.querySelectorAll("button").forEach(b => b.setAttribute("aria-pressed", b === button && on));
    svg.classList.toggle("one", on);
    svg.querySelectorAll("g").forEach(g => g.classList.toggle("on", on && g.dataset.c === button.dataset.c));
  }));
})();
)js";

}  // namespace

int64_t most_map_points(const data::Images& images) {
  const int64_t cell = cell_of(images);
  return std::clamp<int64_t>(kMostBytes / std::max<int64_t>(cell * cell * images.channels, 1), 1, kMostMapPoints);
}

std::string map_figure(const std::vector<MapPoint>& points, const data::Images* images,
                       const std::vector<std::string>& clusters) {
  if (points.empty()) return "";
  const Sheet sheet = images == nullptr ? Sheet{.cell = 1, .png = {}} : sheet_of(points, *images);
  const auto [x, y] = axes_of(points);
  std::vector<std::string> groups(clusters.size());
  for (size_t p = 0; p < points.size(); ++p) {
    const MapPoint& m = points[p];
    check(m.cluster >= 0 && static_cast<size_t>(m.cluster) < clusters.size(),
          "page: a point of the map is in no cluster");
    groups[m.cluster] +=
        fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.2\" data-i=\"{}\"><title>{}</title></circle>", x(m.x),
                    y(m.y), p, escape_html(clusters[m.cluster] + ", " + m.about));
  }
  std::string dots, legend;
  for (size_t c = 0; c < clusters.size(); ++c) {
    if (groups[c].empty()) continue;
    const std::string colour = map_colour(c, clusters.size());
    dots += fmt::format("<g data-c=\"{}\" fill=\"{}\">{}</g>\n", c, colour, groups[c]);
    if (c < kMostNamed)
      legend += fmt::format("<button data-c=\"{}\" aria-pressed=\"false\"><i style=\"background:{}\"></i>{}</button>\n",
                            c, colour, escape_html(clusters[c]));
  }
  return fmt::format(
      "<div class=\"map\" data-cell=\"{}\" data-columns=\"{}\">\n<div class=\"legend\">\n{}</div>\n"
      "<div class=\"plot\"><svg viewBox=\"0 0 {:g} {:g}\" tabindex=\"0\" role=\"img\" aria-label=\"Map of {} {}; "
      "arrow "
      "keys step through them\">\n{}</svg>\n<div class=\"card\" role=\"status\" "
      "hidden><span></span><span></span></div></div>\n"
      "{}</div>\n<script>{}</script>\n",
      sheet.cell, kSheetColumns, legend, kMapWidth, kMapHeight, points.size(), images == nullptr ? "rows" : "images",
      dots, images == nullptr ? "" : fmt::format("<img hidden alt=\"\" src=\"data:image/png;base64,{}\">\n", sheet.png),
      kMapScript);
}

}  // namespace kith
