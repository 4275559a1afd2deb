#include "scan/metrics/layout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"
#include "kernels/index/neighbour_graph.h"

namespace kith {
namespace {

using Point = std::array<double, 2>;

constexpr double kA = 1.577, kB = 0.895, kClip = 4, kWidth = 20;
constexpr int kRepelled = 5, kPowerSteps = 50, kBandwidthHalvings = 64;

struct Edge {
  int64_t a, b;
  double weight, next = 0, pause = 0;  // the pass in which it takes part next, and the passes between
};

double length(const std::vector<double>& v) {
  double square = 0;
  for (const double x : v) square += x * x;
  return std::sqrt(square);
}

// Scores of the rows on their leading two principal components, by power iteration: the second among what is orthogonal to the
// first. Zeros where the rows have no such direction.
std::vector<Point> principal(const Matrix<const float>& rows) {
  std::vector<double> mean(static_cast<size_t>(rows.cols));
  for (int64_t i = 0; i < rows.rows; ++i)
    for (int64_t c = 0; c < rows.cols; ++c) mean[c] += rows.row(i)[c] / static_cast<double>(rows.rows);
  std::vector<Point> out(static_cast<size_t>(rows.rows));
  std::array<std::vector<double>, 2> axes;
  for (size_t axis = 0; axis < 2; ++axis) {
    std::vector<double>& v = axes[axis];
    Random draws(0, 0, axis, 0);
    for (int64_t c = 0; c < rows.cols; ++c) v.push_back(draws.uniform53() - 0.5);
    for (int step = 0; step < kPowerSteps; ++step) {
      if (axis == 1) {
        double along = 0;
        for (size_t c = 0; c < v.size(); ++c) along += v[c] * axes[0][c];
        for (size_t c = 0; c < v.size(); ++c) v[c] -= along * axes[0][c];
      }
      const double n = length(v);
      for (double& x : v) x = n > 0 ? x / n : 0;
      std::vector<double> next(v.size());
      for (int64_t i = 0; i < rows.rows; ++i) {
        double score = 0;
        for (int64_t c = 0; c < rows.cols; ++c) score += (rows.row(i)[c] - mean[c]) * v[c];
        out[i][axis] = score;
        for (int64_t c = 0; c < rows.cols; ++c) next[c] += score * (rows.row(i)[c] - mean[c]);
      }
      if (step + 1 < kPowerSteps) v = std::move(next);
    }
  }
  return out;
}

// sum_j exp(-max(0, d_j - rho) / sigma) grows with sigma: halving finds it.
double bandwidth(const std::vector<double>& d, double rho) {
  const double target = std::log2(static_cast<double>(d.size()));
  double low = 0, high = std::numeric_limits<double>::infinity(), sigma = 1, mean = 0;
  for (const double x : d) mean += x / static_cast<double>(d.size());
  for (int i = 0; i < kBandwidthHalvings; ++i) {
    double sum = 0;
    for (const double x : d) sum += std::exp(-std::max(0.0, x - rho) / sigma);
    (sum > target ? high : low) = sigma;
    sigma = std::isinf(high) ? 2 * sigma : (low + high) / 2;
  }
  return std::max({sigma, 1e-3 * mean, 1e-12});
}

// w_ij of each place of the table.
std::vector<double> weights_of(const Neighbours& lists) {
  std::vector<double> weights(lists.index.size());
  for (int64_t i = 0; i < lists.rows; ++i) {
    std::vector<double> d;
    double rho = std::numeric_limits<double>::infinity();
    for (int64_t j = 0; j < lists.k; ++j) {
      const float score = lists.score[i * lists.k + j];
      const int64_t to = lists.index[i * lists.k + j];
      check(std::isfinite(score), "layout: a similarity that is not finite");
      check(to >= 0 && to < lists.rows && to != i, "layout: a neighbour that is no other row");
      d.push_back(std::max(0.0, 1.0 - score));
      if (d.back() > 0) rho = std::min(rho, d.back());
    }
    if (std::isinf(rho)) rho = 0;
    const double sigma = bandwidth(d, rho);
    for (int64_t j = 0; j < lists.k; ++j) weights[i * lists.k + j] = std::exp(-std::max(0.0, d[j] - rho) / sigma);
  }
  return weights;
}

std::vector<Edge> edges_of(const Neighbours& lists, int epochs) {
  const std::vector<double> weights = weights_of(lists);
  const kernels::NeighbourGraph graph = kernels::neighbour_graph(lists.view(), kernels::GraphForm::symmetric);
  std::vector<Edge> all, out;
  double most = 0;
  for (int64_t i = 0; i < lists.rows; ++i)
    for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e) {
      if (graph.columns[e] < i) continue;
      double w = 0;
      for (const int64_t place : {graph.own[e], graph.other[e]})
        if (place != kernels::NeighbourGraph::kNone) w = w + weights[place] - w * weights[place];
      all.push_back({i, graph.columns[e], w});
      most = std::max(most, w);
    }
  for (const Edge& e : all)
    if (e.weight * epochs >= most) out.push_back({e.a, e.b, e.weight, most / e.weight, most / e.weight});
  return out;
}

// Both ends of an edge towards each other.
void attract(Point& p, Point& q, double rate) {
  const double x = p[0] - q[0], y = p[1] - q[1], r2 = x * x + y * y;
  if (!(r2 > 0)) return;
  const double power = std::pow(r2, kB), pull = -2 * kA * kB * power / r2 / (1 + kA * power);
  for (const auto& [axis, d] : {std::pair{0, x}, std::pair{1, y}}) {
    const double step = rate * std::clamp(pull * d, -kClip, kClip);
    p[axis] += step;
    q[axis] -= step;
  }
}

void repel(Point& p, const Point& q, double rate) {
  const double x = p[0] - q[0], y = p[1] - q[1], r2 = x * x + y * y;
  const double push = 2 * kB / ((1e-3 + r2) * (1 + kA * std::pow(r2, kB)));
  p[0] += rate * std::clamp(push * x, -kClip, kClip);
  p[1] += rate * std::clamp(push * y, -kClip, kClip);
}

// Copies of a row, which the components cannot tell apart, begin a hair's breadth apart.
std::vector<Point> begin(const Matrix<const float>& rows, uint64_t seed) {
  std::vector<Point> at = principal(rows);
  double widest = 0;
  for (const Point& p : at) widest = std::max({widest, std::abs(p[0]), std::abs(p[1])});
  for (size_t i = 0; i < at.size(); ++i) {
    Random draws(seed, 0, i, 1);
    for (double& x : at[i]) x = (widest > 0 ? x / widest * kWidth / 2 : 0) + 1e-3 * (draws.uniform53() - 0.5);
  }
  return at;
}

}  // namespace

std::vector<float> neighbour_layout(const Matrix<const float>& rows, const Neighbours& lists, uint64_t seed,
                                    int epochs) {
  check(lists.rows == rows.rows, "layout: neighbours of other rows");
  check(std::ranges::all_of(rows.span(), [](float x) { return std::isfinite(x); }),
        "layout: a value that is not finite");
  if (rows.rows < 2) return std::vector<float>(static_cast<size_t>(2 * rows.rows));
  std::vector<Point> at = begin(rows, seed);
  std::vector<Edge> edges = edges_of(lists, epochs);
  const auto n = static_cast<uint32_t>(rows.rows);
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const double rate = 1 - static_cast<double>(epoch - 1) / epochs;
    for (size_t e = 0; e < edges.size(); ++e) {
      Edge& edge = edges[e];
      if (edge.next > epoch) continue;
      edge.next += edge.pause;
      attract(at[edge.a], at[edge.b], rate);
      Random draws(seed, static_cast<uint32_t>(epoch), e, 2);
      for (const int64_t end : {edge.a, edge.b})
        for (int i = 0; i < kRepelled; ++i)
          if (const auto other = static_cast<int64_t>(draws.below(n)); other != end) repel(at[end], at[other], rate);
    }
  }
  Point mean{};
  for (const Point& p : at)
    for (size_t axis = 0; axis < 2; ++axis) mean[axis] += p[axis] / static_cast<double>(at.size());
  std::vector<float> out;
  for (const Point& p : at)
    for (size_t axis = 0; axis < 2; ++axis) out.push_back(static_cast<float>(p[axis] - mean[axis]));
  return out;
}

std::vector<float> neighbour_layout(Context& ctx, const Matrix<const float>& unit_rows, uint64_t seed) {
  constexpr int64_t kNeighbours = 15;
  return neighbour_layout(unit_rows, nearest(ctx, unit_rows, kNeighbours, false), seed);
}

std::vector<int64_t> evenly_spaced(int64_t rows, int64_t count) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(i * rows / count);
  return out;
}

}  // namespace kith
