#include "scan/stages/unusual_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "data/dataset/digest.h"
#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "scan/metrics/judgement.h"
#include "scan/report/image_name.h"
#include "scan/run/artifacts.h"
#include "scan/text/csv.h"

namespace kith {
namespace {

std::span<const uint8_t> pixels_of(const data::Images& images, int64_t i) {
  const auto bytes = static_cast<size_t>(images.image_bytes());
  return {images.pixels.data() + static_cast<size_t>(i) * bytes, bytes};
}

// sum (x - mean of x)^2
double contrast(std::span<const uint8_t> x) {
  double sum = 0, squares = 0;
  for (const uint8_t v : x) sum += v, squares += static_cast<double>(v) * v;
  return std::max(0., squares - sum * sum / static_cast<double>(x.size()));
}

ListedLikeness likeness_of(const data::NpyArray<int64_t>& lists, const data::NpyArray<float>& features) {
  const Matrix<const float> x{features.values.data(), features.shape[0], features.shape[1]};
  return listed_likeness({lists.values.data(), lists.shape[0], lists.shape[1]}, x.cols, kNearCosine,
                         [&](std::span<const int64_t> index, float* out) {
                           for (const int64_t i : index) out = std::ranges::copy(x.row(i), out).out;
                         });
}

// The largest pixel difference of near-duplicates.
double near_limit(const data::Images& images, const Matrix<const int64_t>& lists) {
  std::vector<double> apart;
  for (int64_t i = 0; i < lists.rows; ++i)
    for (const int64_t other : lists.row(i)) {
      if (other == i) continue;
      if (other >= 0) apart.push_back(pixel_difference(images, i, other));
      break;
    }
  if (apart.empty()) return kNearPixels;
  const auto middle = apart.begin() + static_cast<std::ptrdiff_t>(apart.size() / 2);
  std::ranges::nth_element(apart, middle);
  return std::min(kNearPixels, *middle / kFartherApart);
}

void write_lists(const Session& s, const UnusualImages& u) {
  const data::Images& train = s.data.train();
  MoreColumns path;
  if (!train.files.empty())
    path = {.header = ",path",
            .of = [&](int64_t i) { return fmt::format(",{}", csv_field(train.files[static_cast<size_t>(i)])); }};
  data::write_file(s.dir / "near_duplicates.csv", {data::as_bytes(near_duplicates_csv(u.near, "image", path))});
  if (u.likeness.empty())
    std::filesystem::remove(s.dir / "outliers.csv");  // of earlier neighbours
  else
    data::write_file(s.dir / "outliers.csv",
                     {data::as_bytes(outliers_csv(u.outliers, u.likeness, "image,likeness", path))});
}

nlohmann::json copies_json(const std::vector<NearPair>& copies) {
  constexpr size_t kListed = 20;
  nlohmann::json listed = nlohmann::json::array();
  for (size_t i = 0; i < std::min(copies.size(), kListed); ++i) listed.push_back({copies[i].b, copies[i].a});
  return {{"images", copies.size()}, {"first", listed}};
}

nlohmann::json named_outliers(const data::Images& train, const UnusualImages& u) {
  nlohmann::json out = outliers_json(u.outliers, u.likeness, "mean cosine to the neighbours");
  if (!train.files.empty())
    for (const nlohmann::json& of : out.at("first")) out["names"].push_back(image_name(train, of[0].get<int64_t>()));
  return out;
}

std::string about_member(const data::Images& train, const NearGroups::Member& m) {
  return m.exact ? fmt::format("{}, exact copy of {}", image_name(train, m.row), image_name(train, m.nearest))
                 : fmt::format("{}, cosine {:.3f}", image_name(train, m.row), m.cosine);
}

}  // namespace

double pixel_difference(const data::Images& images, int64_t a, int64_t b) {
  const std::span<const uint8_t> x = pixels_of(images, a), y = pixels_of(images, b);
  double apart = 0;
  for (size_t i = 0; i < x.size(); ++i) apart += static_cast<double>(x[i] - y[i]) * (x[i] - y[i]);
  return apart == 0 ? 0 : 2 * apart / (contrast(x) + contrast(y));
}

UnusualImages unusual_images(const Session& s) {
  const data::Images& train = s.data.train();
  const std::vector<NearPair> copies =
      exact_pairs(train.count, [&](int64_t i) { return data::digest(pixels_of(train, i)); });
  UnusualImages out;
  out.summary["copies_train"] = copies_json(copies);
  const auto lists = data::read_npy<int64_t>(neighbours_path(s.dir, "train"));
  const bool listed = lists.shape.at(1) > 0;
  std::vector<NearPair> pairs;
  double limit = 0;
  if (listed) {
    ListedLikeness found = likeness_of(lists, read_features(s, "train", train.count));
    limit = near_limit(train, {lists.values.data(), lists.shape[0], lists.shape[1]});
    std::erase_if(found.near, [&](const NearPair& p) {
      const double apart = pixel_difference(train, p.a, p.b);
      return apart == 0 || apart > limit;
    });
    pairs = std::move(found.near);
    out.likeness = std::move(found.mean);
    out.outliers = least_rows(out.likeness);
    out.summary["outliers_train"] = named_outliers(train, out);
  }
  pairs.insert(pairs.end(), copies.begin(), copies.end());
  out.near = near_groups(pairs);
  out.summary["near_duplicates_train"] = near_duplicates_json(out.near, kNearCosine, "images");
  out.summary["near_duplicates_train"]["pixels"] = limit;
  write_lists(s, out);
  return out;
}

std::vector<PictureSection> unusual_pictures(const data::Images& train, const UnusualImages& u) {
  constexpr size_t kGroups = 12, kOfGroup = 12, kOutliers = 24;
  std::vector<PictureSection> out;
  if (!u.near.groups.empty()) {
    PictureSection near{
        .images = &train,
        .heading = "Near-duplicates",
        .about = fmt::format(
            "{} train images are {}, in {}: images of the same pixels{}. The largest groups; all are in "
            "near_duplicates.csv.",
            u.near.rows, likeness_text(u.near.rows, u.near.exact), data::counted(u.near.groups.size(), "group"),
            u.likeness.empty()
                ? ""
                : fmt::format(
                      ", and neighbours whose features have a cosine of at least {} and whose pixels differ by at "
                      "most {:.2g} % of their contrast",
                      kNearCosine, 100 * u.summary.at("near_duplicates_train").at("pixels").get<double>())),
        .rows = {}};
    for (size_t g = 0; g < std::min(u.near.groups.size(), kGroups); ++g) {
      const auto& group = u.near.groups[g];
      PictureSection::Row row{
          .name = fmt::format("Group {}", g), .about = fmt::format("{} images", group.size()), .pictures = {}};
      for (size_t m = 0; m < std::min(group.size(), kOfGroup); ++m)
        row.pictures.push_back({.image = group[m].row, .about = about_member(train, group[m])});
      near.rows.push_back(std::move(row));
    }
    out.push_back(std::move(near));
  }
  if (u.outliers.empty()) return out;
  PictureSection outliers{.images = &train,
                          .heading = "Outliers",
                          .about =
                              "The train images whose features are least like their neighbours', by the mean "
                              "cosine, the least first. More are in outliers.csv.",
                          .rows = {{.name = "Least alike", .about = "", .pictures = {}}}};
  for (size_t i = 0; i < std::min(u.outliers.size(), kOutliers); ++i)
    outliers.rows[0].pictures.push_back({.image = u.outliers[i],
                                         .about = fmt::format("{}, likeness {:.3f}", image_name(train, u.outliers[i]),
                                                              u.likeness[static_cast<size_t>(u.outliers[i])])});
  out.push_back(std::move(outliers));
  return out;
}

}  // namespace kith
