// The stages that also work on anyone's arrays: kith mine --features, kith evaluate --assignments.
#pragma once
#include <cstdint>
#include <filesystem>

#include "nn/context.h"

namespace kith {

struct MineArrays {
  std::filesystem::path features;  // [n, dim], any floating-point .npy
  int64_t k = 20;
  bool include_self = false;     // a row may be its own neighbour
  bool normalize = false;        // search by angle: rows are scaled to unit length first
  std::filesystem::path out;     // [n, k] int64
  std::filesystem::path scores;  // [n, k] f32; empty: not written
};
// Nearest neighbours by inner product, found on the context's device. Says on standard error when rows are not of unit length and normalize is off.
int mine_arrays(Context&, const MineArrays&);

struct EvaluateArrays {
  std::filesystem::path assignments, labels;  // [n] integers, any that are not negative; assignments of -1 are noise
  std::filesystem::path probabilities;        // [n, clusters], of the assignments 0 .. clusters - 1; empty: none
  std::filesystem::path confusion;            // CSV; empty: not written
  bool json = false;                          // false: tables for people
};
// Scores on standard output; what is doubtful about the arrays on standard error (evaluation.h).
int evaluate_arrays(const EvaluateArrays&);

// Both return the exit status 0; what is wrong with an array is an exception of one line.

}  // namespace kith
