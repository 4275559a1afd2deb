#include "scan/report/page_pictures.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/formats/counted.h"
#include "data/formats/png.h"
#include "kernels/core/check.h"
#include "scan/metrics/prototypes.h"
#include "scan/report/image_name.h"
#include "scan/report/page_shell.h"
#include "scan/report/page_svg.h"
#include "scan/text/table.h"

namespace kith {
namespace {

constexpr int kLargestSide = 64;      // larger images are shrunk: a page shows thumbnails
constexpr size_t kMostClusters = 64;  // a page of a thousand clusters would be hundreds of megabytes

data::Picture thumbnail(const data::Images& images, int64_t index) {
  data::Images one = images.part(index, 1);
  if (std::max(one.height, one.width) > kLargestSide) one = data::resized(one, kLargestSide);
  return {.height = one.height,
          .width = one.width,
          .channels = one.channels,
          .pixels = {one.pixels.begin(), one.pixels.end()}};
}

std::string picture(const data::Images& images, int64_t index, const std::string& mark, const std::string& about) {
  return fmt::format("<img class=\"{}\" title=\"{}\" alt=\"{}\" src=\"data:image/png;base64,{}\">", mark,
                     escape_html(about), escape_html(about), base64(data::encode_png(thumbnail(images, index))));
}

std::string picture_row(const std::string& name, const std::string& about, const std::string& first,
                        const std::string& others) {
  return fmt::format(
      "<div class=\"cluster\"><div><b>{0}</b><small>{1}</small></div><div class=\"prototype\">{2}</div>"
      "<div class=\"samples\"{4} role=\"group\" aria-label=\"{0}: pictures; arrow keys step through "
      "them\">{3}</div></div>\n",
      name, about, first, others, others.empty() ? "" : " tabindex=\"0\"");
}

class Rows {
 public:
  explicit Rows(const PageInput& in) : in_(in) {
    const auto n = static_cast<size_t>(in.images->count);
    check(in.assignments.size() == n && in.confidence.size() == n, "page: one assignment and one confidence per image");
    for (const int64_t i : in.prototypes) check(i >= -1 && i < in.images->count, "page: prototype out of range");
    const int32_t last = n == 0 ? -1 : *std::max_element(in.assignments.begin(), in.assignments.end());
    const int clusters = in.evaluation ? in.evaluation->table.clusters : static_cast<int>(in.prototypes.size());
    if (in.evaluation) class_of_ = shown_classes(*in.evaluation);
    members_ = by_confidence(in.assignments, in.confidence, std::max(clusters, last + 1));
  }

  std::string render() const {
    std::string out;
    for (size_t c = 0; c < std::min(members_.count(), kMostClusters); ++c) out += row(c);
    if (members_.count() > kMostClusters)
      out += fmt::format("<p>The first {} of {} clusters are shown.</p>\n", kMostClusters, members_.count());
    return out;
  }

 private:
  std::string row(size_t c) const {
    const std::span<const int64_t> members = members_[c];
    double confidence = 0;
    for (const int64_t i : members) confidence += in_.confidence[i];
    std::string about = data::counted(members.size(), "image");
    if (in_.evaluation && !members.empty()) about += "<br>" + agreement_of(c);
    if (!members.empty())
      about += fmt::format("<br>confidence {}", percent(confidence / static_cast<double>(members.size())) + " %");
    std::string samples;
    for (size_t m = 0; m < std::min(members.size(), static_cast<size_t>(in_.samples_per_cluster)); ++m)
      samples += image(members[m], c);
    const int64_t prototype = c < in_.prototypes.size() ? in_.prototypes[c] : -1;
    return picture_row(name(c), about, prototype < 0 ? "" : image(prototype, c), samples);
  }

  // What share is of the class that the row is named after, and of the most frequent one where that is another.
  std::string agreement_of(size_t c) const {
    const ClusterReport& report = in_.evaluation->clusters[c].report;
    if (report.most == class_of_[c]) return fmt::format("purity {} %", percent(report.purity));
    const std::string other = escape_html(in_.evaluation->class_names[report.most]);
    if (class_of_[c] >= 0 && report.share == report.purity)
      return fmt::format("purity {} %, as many are {}", percent(report.purity), other);
    const std::string most = fmt::format("most frequent: {}, {} %", other, percent(report.purity));
    return class_of_[c] < 0 ? most : fmt::format("{} % are of it; {}", percent(report.share), most);
  }

  std::string name(size_t c) const {
    if (!in_.evaluation) return fmt::format("Cluster {}", c);
    const int cls = class_of_[c];
    return fmt::format("{}: {}", c, cls < 0 ? "no class" : escape_html(in_.evaluation->class_names[cls]));
  }

  std::string image(int64_t index, size_t c) const {
    std::string mark;
    std::string about = fmt::format("{}, confidence {:.3f}", image_name(*in_.images, index), in_.confidence[index]);
    if (in_.evaluation && !in_.images->labels.empty()) {
      const int32_t label = in_.images->labels[index];
      mark = label == class_of_[c] ? "right" : "wrong";
      about += ", label " + in_.evaluation->class_names.at(static_cast<size_t>(label));
    }
    return picture(*in_.images, index, mark, about);
  }

  const PageInput& in_;
  std::vector<int> class_of_;  // without labels: none
  kernels::Groups members_;
};

}  // namespace

std::string base64(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t have = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < have ? bytes[i + j] : 0u);
    for (size_t j = 0; j < 4; ++j) out += j <= have ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

std::vector<int> shown_classes(const Evaluation& e) {
  if (!e.scores || e.table.clusters == e.table.classes) return e.matching.class_of;
  return match_majority(e.table).class_of;
}

std::vector<std::string> cluster_titles(const Evaluation* e, size_t clusters) {
  const std::vector<int> class_of = e == nullptr ? std::vector<int>{} : shown_classes(*e);
  std::vector<std::string> names(clusters);
  for (size_t c = 0; c < clusters; ++c)
    names[c] = e == nullptr      ? fmt::format("cluster {}", c)
               : class_of[c] < 0 ? fmt::format("{}: no class", c)
                                 : fmt::format("{}: {}", c, e->class_names[class_of[c]]);
  return names;
}

std::string cluster_rows(const PageInput& in) { return in.images == nullptr ? "" : Rows(in).render(); }

std::string picture_sections(const PageInput& in) {
  static constexpr const char* kMarks[] = {"", "right", "wrong"};
  std::string out;
  for (const PictureSection& section : in.sections) {
    const auto shown = [&](const PictureSection::Picture& p) {
      const std::string one = picture(*section.images, p.image, kMarks[static_cast<size_t>(p.mark)], p.about);
      return p.caption.empty()
                 ? one
                 : fmt::format("<figure>{}<figcaption>{}</figcaption></figure>", one, escape_html(p.caption));
    };
    std::string rows;
    for (const PictureSection::Row& row : section.rows) {
      std::string pictures;
      for (const PictureSection::Picture& p : row.pictures) pictures += shown(p);
      rows += picture_row(escape_html(row.name), escape_html(row.about), row.first ? shown(*row.first) : "", pictures);
    }
    out += html_section(escape_html(section.heading), escape_html(section.about), rows);
  }
  return out;
}

std::string picture_script() {
  return R"js(<script>
document.querySelectorAll(".samples").forEach(row => {
  const pictures = [...row.querySelectorAll("img")], text = document.createElement("output");
  let at = -1;
  const show = i => {
    if (at >= 0) pictures[at].classList.remove("chosen");
    at = i;
    if (i < 0) return text.remove();
    pictures[i].classList.add("chosen");
    text.textContent = pictures[i].alt;
    row.append(text);
  };
  pictures.forEach((picture, i) => picture.addEventListener("click", () => show(at === i ? -1 : i)));
  row.addEventListener("keydown", event => {
    const n = pictures.length, to = {ArrowRight: at + 1, ArrowLeft: at < 0 ? n - 1 : at - 1 + n, Home: 0, End: n - 1}[event.key];
    if (to !== undefined) event.preventDefault(), show(to % n);
    if (event.key === "Escape") show(-1);
  });
});
</script>
)js";
}

}  // namespace kith
