#include "scan/metrics/lbfgs.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

namespace kith {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

void add_scaled(Vector& y, double a, const Vector& x) {
  for (size_t i = 0; i < y.size(); ++i) y[i] += a * x[i];
}

double largest(const Vector& v) {
  double m = 0;
  for (const double x : v) m = std::max(m, std::abs(x));
  return m;
}

// The last steps and the changes of the gradient along them: the inverse Hessian, as far as it has been seen.
class History {
 public:
  explicit History(int length) : length_(static_cast<size_t>(length)) {}

  void add(Vector step, Vector change) {
    const double curvature = dot(step, change);
    // A convex function has curvature > 0; rounding close to the minimum may say otherwise, and would break descent.
    if (!(curvature > 1e-12 * std::sqrt(dot(step, step) * dot(change, change)))) return;
    if (pairs_.size() == length_) pairs_.pop_front();
    pairs_.push_back({std::move(step), std::move(change), curvature});
  }

  // -H gradient by the two-loop recursion.
  Vector direction(const Vector& gradient) const {
    Vector d = gradient;
    Vector alpha(pairs_.size());
    for (size_t i = pairs_.size(); i-- > 0;) {
      alpha[i] = dot(pairs_[i].step, d) / pairs_[i].curvature;
      add_scaled(d, -alpha[i], pairs_[i].change);
    }
    if (!pairs_.empty()) {
      const Pair& last = pairs_.back();
      const double scale = last.curvature / dot(last.change, last.change);
      for (double& x : d) x *= scale;
    }
    for (size_t i = 0; i < pairs_.size(); ++i)
      add_scaled(d, alpha[i] - dot(pairs_[i].change, d) / pairs_[i].curvature, pairs_[i].step);
    for (double& x : d) x = -x;
    return d;
  }

  bool empty() const { return pairs_.empty(); }

 private:
  struct Pair {
    Vector step, change;
    double curvature;
  };
  size_t length_;
  std::deque<Pair> pairs_;
};

constexpr double kSufficientDecrease = 1e-4;  // Armijo's constant
constexpr int kHalvings = 20;

}  // namespace

LbfgsResult minimise(const Objective& f, std::span<double> x, const LbfgsOptions& options) {
  Vector at(x.begin(), x.end()), gradient(at.size()), next_gradient(at.size());
  History history(options.history);
  LbfgsResult result{.value = f(at, gradient)};
  for (; result.iterations < options.max_iterations; ++result.iterations) {
    if (largest(gradient) <= options.tolerance) break;
    const Vector direction = history.direction(gradient);
    const double slope = dot(gradient, direction);
    double step = history.empty() ? std::min(1.0, 1 / std::sqrt(dot(gradient, gradient))) : 1.0;
    Vector next;
    double value = 0;
    bool lower = false;
    for (int halving = 0; halving < kHalvings && !lower; ++halving, step /= 2) {
      next = at;
      add_scaled(next, step, direction);
      value = f(next, next_gradient);
      lower = value <= result.value + kSufficientDecrease * step * slope;
    }
    if (!lower) break;
    Vector moved = next, change = next_gradient;
    add_scaled(moved, -1, at);
    add_scaled(change, -1, gradient);
    history.add(std::move(moved), std::move(change));
    at = std::move(next);
    gradient.swap(next_gradient);
    result.value = value;
  }
  result.converged = largest(gradient) <= options.tolerance;
  std::copy(at.begin(), at.end(), x.begin());
  return result;
}

}  // namespace kith
