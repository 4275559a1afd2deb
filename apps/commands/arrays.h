// The stages that also work on anyone's arrays: kith mine --features, kith evaluate --assignments.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>

#include "data/formats/npy.h"
#include "nn/tensor/context.h"

namespace kith {

struct MineArrays {
  std::filesystem::path features;  // [n, dim], any floating-point .npy
  int64_t k = 20;
  bool include_self = false;            // a row may be its own neighbour
  bool normalize = false;               // search by angle: rows are scaled to unit length first
  std::filesystem::path out;            // [n, k] int64
  std::filesystem::path scores;         // [n, k] f32; empty: not written
  int64_t block_rows = 0;               // of a block of the search; 0: the search's own choice
  std::function<void()> accepted = {};  // called by the first rank when nothing was refused, before the search
};
// Nearest neighbours by inner product, found on the context's device, by all its ranks (mine_arrays.cpp). Each maps the file.
//
// normalize: rows are scaled to unit length in f64, with lengths from 1e-308 to 1e308, and then rounded to f32. Rows within a
// narrow cone are searched less their mean, which keeps the order and loses fewer digits: lists are by angle down to about 1e-6.
// Otherwise rows are searched as f32.
// Errors      outputs that are one file, the features, or folders; values that are not finite; without normalize values beyond
//             f32's range, rows too short for it, and, where scores are written, products beyond it.
// On standard error: zero rows under normalize; lengths that differ without it.
// Memory      beside the mapped features that of scan/metrics/blocked_search.h. Nothing is written before the search is done; files
//             appear whole or not at all.
int mine_arrays(Context&, const MineArrays&);

struct EvaluateArrays {
  std::filesystem::path assignments, labels;  // [n] integers, any that are not negative; assignments of -1 are noise
  std::filesystem::path probabilities;        // [n, clusters], of the assignments 0 .. clusters - 1; empty: none
  std::filesystem::path confusion;            // CSV; empty: not written
  bool json = false;                          // false: tables for people
};
// Scores on standard output; what is doubtful about the arrays on standard error (evaluation.h).
int evaluate_arrays(const EvaluateArrays&);

// Whole numbers, [n]; a column of them, [n, 1], is taken for that. Error, one line: another shape, where `expected` stands.
data::NpyArray<int64_t> read_column(const std::filesystem::path&, const char* expected);

// Both return the exit status 0; what is wrong with an array is an exception of one line.

}  // namespace kith
