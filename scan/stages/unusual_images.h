// Train images that users want to know of before they trust clusters: copies of others, near-duplicates, images like none. No
// label is read and nothing is searched: neighbours are those that were mined.
#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "scan/metrics/listed_likeness.h"
#include "scan/report/page.h"
#include "scan/run/session.h"

namespace kith {

// How far the pixels of two images are apart, as a share of their contrast, at the size that the network sees:
//   sum (a - b)^2 / (sum (a - mean of a)^2 + sum (b - mean of b)^2) * 2
// 0 for copies alone; infinite for two that have no contrast.
double pixel_difference(const data::Images&, int64_t a, int64_t b);

// Copies: train images of the same pixels, whether they list each other or not.
// Near-duplicates: two train images that are no copies, of which one lists the other as a neighbour,
//   whose mined features have a cosine of at least kNearCosine, and
//   whose pixels differ by at most min(kNearPixels, M / kFartherApart), M the median of the difference of each image and the
//   first neighbour that it lists.
// Features of a short pretext are alike for pictures that are not, and pixels by a fixed number take one pair of trousers for
// another. Of the pairs of CIFAR-10's train images (24 x 24) 208 differ by at most 0.1, and all that were looked at show the same
// picture; of Fashion-MNIST's (14 x 14) there are 1.5 million, and 216 below 0.01 that are hard to tell apart.
// M is about 1.4 there and 0.23 here.
constexpr double kNearCosine = 0.95, kNearPixels = 0.1, kFartherApart = 15;

// An outlier: an image whose features have little in common with its neighbours' (scan/metrics/listed_likeness.h, mean).
struct UnusualImages {
  NearGroups near;                // of copies and near-duplicates
  std::vector<float> likeness;    // [train], or empty without neighbours
  std::vector<int64_t> outliers;  // the least like its neighbours first
  // copies_train {images: those whose pixels an image before them has, first: [[copy, original], ...] of at most 20},
  // near_duplicates_train (copies among them; pixels: the largest difference), and where there are neighbours outliers_train.
  nlohmann::json summary;
};
// Writes near_duplicates.csv and outliers.csv; without neighbours (mine.k = 0) copies alone are known, and outliers.csv goes.
UnusualImages unusual_images(const Session&);

// The pictures of both, for report.html.
std::vector<PictureSection> unusual_pictures(const data::Images& train, const UnusualImages&);

}  // namespace kith
