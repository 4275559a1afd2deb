#include "scan/stages/example_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include "data/formats/npy.h"
#include "data/formats/text.h"
#include "scan/report/image_name.h"
#include "scan/run/artifacts.h"

namespace kith {
namespace {

constexpr int64_t kQueries = 10, kShown = 10;
constexpr size_t kUncertain = 24;

// Of rows as they are; of unit rows at most 2.
double row_distance(std::span<const float> a, std::span<const float> b) {
  double square = 0;
  for (size_t d = 0; d < a.size(); ++d) square += (double{a[d]} - b[d]) * (double{a[d]} - b[d]);
  return std::sqrt(square);
}

// The first two clusters of a row, the more probable first; of equal ones the lower number.
std::pair<size_t, size_t> first_two(std::span<const float> p) {
  size_t first = 0, second = p.size() > 1 ? 1 : 0;
  for (size_t c = 1; c < p.size(); ++c)
    if (p[c] > p[first])
      second = std::exchange(first, c);
    else if (second == first || p[c] > p[second])
      second = c;
  return {first, second};
}

// The rows of the least values, the least first; of equal ones in their order.
std::vector<int64_t> least_of(const std::vector<float>& values) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(kUncertain, order.size()));
  std::ranges::partial_sort(order, end,
                            [&](int64_t a, int64_t b) { return std::pair(values[a], a) < std::pair(values[b], b); });
  order.erase(end, order.end());
  return order;
}

std::string label_of(const data::Images& images, const std::vector<std::string>& classes, int64_t i) {
  return images.labelled() ? ", label " + data::printable(classes.at(static_cast<size_t>(images.labels[i]))) : "";
}

PictureSection neighbour_pictures(const Session& s) {
  using Mark = PictureSection::Mark;
  const data::Images& train = s.data.train();
  const std::vector<std::string>& classes = s.data.class_names;
  PictureSection out{.images = &train,
                     .heading = "Nearest neighbours",
                     .about =
                         "Some train images, and the neighbours that were mined for each, the nearest first, with the "
                         "distance of their features of unit length (0: equal, 2: opposite).",
                     .rows = {}};
  if (train.labelled()) out.about += " A dashed frame: another label than the image has.";
  const auto lists = data::read_npy<int64_t>(neighbours_path(s.dir, "train"));
  const auto features = read_features(s, "train", train.count);
  const int64_t k = lists.shape.at(1), queries = std::min(kQueries, train.count);
  const Matrix<const float> x{features.values.data(), features.shape[0], features.shape[1]};
  for (int64_t q = 0; q < queries; ++q) {
    const int64_t i = q * train.count / queries;
    PictureSection::Row row{
        .name = image_name(train, i),
        .about = train.labelled() ? data::printable(classes.at(static_cast<size_t>(train.labels[i]))) : "",
        .pictures = {}};
    row.first = {.image = i, .about = image_name(train, i) + label_of(train, classes, i)};
    for (int64_t n = 0; n < k && std::ssize(row.pictures) < kShown; ++n) {
      const int64_t j = lists.values[i * k + n];
      if (j < 0 || j == i) continue;
      const std::string apart = fmt::format("{:.3f}", row_distance(x.row(i), x.row(j)));
      row.pictures.push_back(
          {.image = j,
           .about = fmt::format("{}, distance {}{}", image_name(train, j), apart, label_of(train, classes, j)),
           .caption = apart,
           .mark = !train.labelled()                    ? Mark::none
                   : train.labels[i] == train.labels[j] ? Mark::right
                                                        : Mark::wrong});
    }
    if (!row.pictures.empty()) out.rows.push_back(std::move(row));
  }
  return out;
}

PictureSection uncertain_pictures(const Session& s, const Matrix<const float>& probabilities,
                                  const std::vector<std::string>& names) {
  const data::Images& scored = s.data.scored();
  std::vector<float> confidence, margin;
  for (int64_t i = 0; i < probabilities.rows; ++i) {
    const auto [first, second] = first_two(probabilities.row(i));
    confidence.push_back(probabilities.row(i)[first]);
    margin.push_back(probabilities.row(i)[first] - (second == first ? 0 : probabilities.row(i)[second]));
  }
  const auto row = [&](const char* name, const std::vector<float>& by) {
    PictureSection::Row out{.name = name, .about = "", .pictures = {}};
    for (const int64_t i : least_of(by)) {
      const auto [first, second] = first_two(probabilities.row(i));
      std::string about =
          fmt::format("{}, {:.3f} {}", image_name(scored, i), probabilities.row(i)[first], names.at(first));
      if (second != first) about += fmt::format(", {:.3f} {}", probabilities.row(i)[second], names.at(second));
      about += label_of(scored, s.data.class_names, i);
      out.pictures.push_back({.image = i, .about = std::move(about), .caption = fmt::format("{:.3f}", by[i])});
    }
    return out;
  };
  PictureSection out{
      .images = &scored,
      .heading = "Uncertain images",
      .about =
          "The scored images that the network is least sure of: by the probability of their cluster, and by "
          "how much less it gives to the next.",
      .rows = {}};
  if (probabilities.rows == 0 || probabilities.cols < 2) return out;
  out.rows = {row("Least confident", confidence), row("Between two clusters", margin)};
  return out;
}

}  // namespace

std::vector<PictureSection> example_pictures(const Session& s, const Matrix<const float>& probabilities,
                                             const std::vector<std::string>& names) {
  return {neighbour_pictures(s), uncertain_pictures(s, probabilities, names)};
}

}  // namespace kith
