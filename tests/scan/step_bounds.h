// A training step of several ranks beside one rank's: how far they may be apart.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace kith::test {

// Of all images in one step at a rate of 1, without momentum or decay: weights less what they became are the gradient.
struct StepTaken {
  double loss = 0;
  std::map<std::string, std::vector<float>> gradient, after;
  std::vector<float> queue = {};  // of MoCo
};

inline double largest(const std::vector<float>& a) {
  double most = 0;
  for (const float v : a) most = std::max(most, std::abs(double{v}));
  return most;
}
inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double{a[i]} - b[i]));
  return most;
}

// What other orders of summation may change. Ranks compute the same sums in another order; of n numbers a sum then moves by about
// sqrt(n) u of its terms (Higham & Mary 2019), n at most `rows`, those of a layer: views times pixels. What becomes of such moves,
// in every layer, in the loss and the gradient is measured: moved(seed) is one rank's step from weights that are all moved by
// `share` of themselves, with random signs, three times, and with them the values of every layer. That does not show sums whose
// terms cancel whatever the weights, as those of a bias before a batch norm: their terms are taken to be as large as the largest
// gradient. A weight at a rate of 1 is rounded twice.
struct StepBounds {
  double loss = 0, queue = 0;
  std::map<std::string, double> gradient;
};
inline StepBounds step_bounds(const StepTaken& one, double rows, double share,
                              const std::function<StepTaken(uint64_t seed)>& moved) {
  constexpr double u = 0x1p-24;
  const double sum = std::sqrt(rows) * u;
  double most = 0;
  for (const auto& [name, gradient] : one.gradient) most = std::max(most, largest(gradient));
  StepBounds out;
  for (const auto& [name, gradient] : one.gradient)
    out.gradient[name] = sum * most + 2 * u * (largest(one.after.at(name)) + largest(gradient));
  std::map<std::string, double> moves;
  double loss = 0, queue = 0;
  for (const uint64_t seed : {1, 2, 3}) {
    const StepTaken other = moved(seed);
    loss = std::max(loss, std::abs(other.loss - one.loss));
    queue = std::max(queue, largest_difference(other.queue, one.queue));
    for (const auto& [name, gradient] : one.gradient)
      moves[name] = std::max(moves[name], largest_difference(other.gradient.at(name), gradient));
  }
  out.loss = sum / share * loss + 2 * u * std::abs(one.loss);
  out.queue = sum / share * queue + 2 * u;
  for (const auto& [name, move] : moves) out.gradient[name] += sum / share * move;
  return out;
}

}  // namespace kith::test
