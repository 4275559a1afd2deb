// Limited-memory BFGS for smooth convex functions (Nocedal & Wright 2006, Alg. 7.4 and 7.5), backtracking line search.
// Host only, in double, serial: for few parameters behind an expensive function.
#pragma once
#include <functional>
#include <span>
#include <vector>

namespace kith {

struct LbfgsOptions {
  int history = 10;
  int max_iterations = 200;
  double tolerance = 1e-4;  // on the largest |gradient|
};

struct LbfgsResult {
  double value = 0;
  int iterations = 0;
  bool converged = false;  // false: out of iterations, or no step lowers the value any more
};

// Value at x; writes the gradient.
using Objective = std::function<double(std::span<const double> x, std::span<double> gradient)>;

// Starts from x and leaves the minimiser there.
LbfgsResult minimise(const Objective&, std::span<double> x, const LbfgsOptions&);

}  // namespace kith
