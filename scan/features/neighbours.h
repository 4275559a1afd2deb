// Exact nearest neighbours of all rows by cosine: rows of a mapped file are never all in memory.
#pragma once
#include <filesystem>
#include <optional>

#include "data/formats/npy.h"
#include "scan/features/run.h"

namespace kith {

// The lists of scan/metrics/blocked_search.h on unit rows in f32, without the row itself: [rows, k], the nearest first.
// Error: k is not below the number of rows.
data::NpyArray<int64_t> nearest_rows(Context&, const FeatureMatrix&, int64_t k, int64_t block_rows = 0);

// The same for a run's only space, kept in its neighbours.npy.
data::NpyArray<int64_t> neighbours_of(const RowRun&, int64_t k);
// What is kept there; none: nothing. Error, one line: it is damaged, or not of so many rows.
std::optional<data::NpyArray<int64_t>> kept_neighbours(const std::filesystem::path& dir, int64_t rows, int64_t k);

// They were written there, and are gone: neighbours_of() searches for them anew.
bool neighbours_were_lost(const std::filesystem::path& dir);
// A line of warning where those there are not as they were written, or, where a model is yet to be made of them, nothing tells;
// empty: they are, or there are none.
std::string doubt_about_neighbours(const std::filesystem::path& dir);

}  // namespace kith
