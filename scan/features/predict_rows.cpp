#include "scan/features/predict_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "scan/features/run.h"

namespace kith {
namespace {

std::string space_name(size_t space, const char* what) { return fmt::format("space.{}.{}", space, what); }

void put_floats(SafeTensors& model, const std::string& name, std::vector<int64_t> shape,
                std::span<const float> values) {
  HostArray array{.dtype = "F32", .shape = std::move(shape), .bytes = {}};
  array.bytes.resize(values.size_bytes());
  std::memcpy(array.bytes.data(), values.data(), values.size_bytes());
  model.arrays[name] = std::move(array);
}

// Empty where there is none. Error: of another size.
std::vector<float> floats_of(const SafeTensors& model, const std::string& name, int64_t count) {
  const auto at = model.arrays.find(name);
  if (at == model.arrays.end()) return {};
  if (at->second.dtype != "F32" || at->second.count() != count)
    throw Error(fmt::format("{}: tensor {}: expected {} numbers of F32", model.file, name, count));
  return {at->second.as<float>(), at->second.as<float>() + count};
}

SafeTensors read_model(const std::filesystem::path& run_dir) {
  read_run_file(run_dir);  // first: whether it is a run at all
  SafeTensors model = read_row_model(run_dir);
  expect_trained_by_run_file(model, run_dir);
  return model;
}

}  // namespace

void put_transform(SafeTensors& model, size_t space, const RowTransform& t) {
  if (t.mean.empty()) return;
  const std::vector<int64_t> shape{static_cast<int64_t>(t.mean.size())};
  put_floats(model, space_name(space, "mean"), shape, t.mean);
  put_floats(model, space_name(space, "inverse"), shape, t.inverse);
}

void put_centroids(SafeTensors& model, size_t space, int clusters, const std::vector<float>& centroids) {
  put_floats(model, space_name(space, "centroids"), {clusters, static_cast<int64_t>(centroids.size()) / clusters},
             centroids);
}

RowPredictor::RowPredictor(Context& ctx, const std::filesystem::path& run_dir)
    : RowPredictor(ctx, row_settings_from(read_run_file(run_dir).at("settings")), read_model(run_dir)) {}

RowPredictor::RowPredictor(Context& ctx, const RowSettings& settings, const SafeTensors& model)
    : ctx_(ctx), settings_(settings) {
  if (RowGaussians::in(model)) {
    gaussians_.emplace(ctx, model);
    dims_ = {gaussians_->dim()};
  } else {
    classifier_.emplace(ctx, model);
    dims_ = classifier_->dims();
  }
  for (size_t s = 0; s < dims_.size(); ++s) {
    const int64_t dim = dims_[s];
    transforms_.push_back({.unit = settings.unit,
                           .mean = floats_of(model, space_name(s, "mean"), dim),
                           .inverse = floats_of(model, space_name(s, "inverse"), dim)});
    if (transforms_.back().mean.size() != transforms_.back().inverse.size())
      throw Error(fmt::format("{}: space {} has a mean or an inverse, not both", model.file, s));
    centroids_.push_back(floats_of(model, space_name(s, "centroids"), clusters() * dim));
  }
}

void RowPredictor::operator()(const std::vector<FeatureMatrix>& matrices, const Use& use) const {
  if (matrices.size() != dims_.size())
    throw Error(fmt::format("--features: the run has {} of features; found {}", data::counted(dims_.size(), "space"),
                            data::counted(matrices.size(), "file")));
  std::vector<FeatureRows> spaces;
  for (size_t s = 0; s < matrices.size(); ++s) {
    const FeatureMatrix& m = matrices[s];
    if (m.cols() != dims_[s])
      throw Error(fmt::format("{}: rows of {} dimensions; the run's have {}", m.name(), m.cols(), dims_[s]));
    if (m.rows() != matrices[0].rows())
      throw Error(fmt::format("{}: {}, {} has {}", m.name(), data::counted(m.rows(), "row"), matrices[0].name(),
                              matrices[0].rows()));
    m.expect_usable(settings_.unit, !settings_.unit && !settings_.standardised);
    spaces.emplace_back(ctx_, m, transforms_[s], 0);
  }
  of_rows(spaces, use);
}

void RowPredictor::of_rows(const std::vector<FeatureRows>& spaces, const Use& use) const {
  int64_t piece = spaces[0].piece();
  for (const FeatureRows& rows : spaces) piece = std::min(piece, rows.piece());
  constexpr int64_t kMostProbabilities = int64_t{1} << 24;
  piece = std::clamp<int64_t>(kMostProbabilities / clusters(), 1, piece);
  for (int64_t first = 0; first < spaces[0].rows(); first += piece) {
    const int64_t count = std::min(piece, spaces[0].rows() - first);
    std::vector<Tensor> blocks;
    for (const FeatureRows& rows : spaces) blocks.push_back(rows.block(first, count));
    RowPrediction out{.first = first, .labels = {}, .probabilities = probabilities_of(blocks), .distance = {}};
    out.labels.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      const auto p = out.probabilities.begin() + i * clusters();
      out.labels[i] = static_cast<int32_t>(std::max_element(p, p + clusters()) - p);
    }
    if (!centroids_[0].empty()) {
      std::vector<std::vector<float>> rows;
      for (const Tensor& block : blocks) rows.push_back(block.to_host());
      measure(out, rows);
    }
    use(out);
  }
}

std::vector<float> RowPredictor::probabilities_of(const std::vector<Tensor>& blocks) const {
  return gaussians_ ? gaussians_->probabilities(blocks.at(0)) : classifier_->probabilities(blocks).to_host();
}

void RowPredictor::measure(RowPrediction& out, const std::vector<std::vector<float>>& rows) const {
  out.distance.resize(out.labels.size());
  parallel_for(static_cast<int64_t>(out.labels.size()), 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double square = 0;
      for (size_t s = 0; s < rows.size(); ++s) {
        const int64_t dim = dims_[s];
        for (int64_t d = 0; d < dim; ++d) {
          const double off = double{rows[s][i * dim + d]} - centroids_[s][out.labels[i] * dim + d];
          square += off * off;
        }
      }
      out.distance[i] = static_cast<float>(std::sqrt(square));
    }
  });
}

RowPrediction predict_rows(Context& ctx, const std::filesystem::path& run_dir, const FeatureMatrix& rows) {
  RowPrediction all;
  RowPredictor(ctx, run_dir)({rows}, [&](const RowPrediction& part) {
    all.labels.insert(all.labels.end(), part.labels.begin(), part.labels.end());
    all.probabilities.insert(all.probabilities.end(), part.probabilities.begin(), part.probabilities.end());
    all.distance.insert(all.distance.end(), part.distance.begin(), part.distance.end());
  });
  return all;
}

}  // namespace kith
