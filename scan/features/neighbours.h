// Exact nearest neighbours of all rows by cosine, in pieces: neither rows nor products of all of them are ever in memory.
#pragma once
#include "data/formats/npy.h"
#include "scan/features/run.h"

namespace kith {

// The lists of the kernel (kernels/topk.h) on unit rows in f32, without the row itself: [rows, k], the nearest first,
// whatever the number of rows of a piece (0: pieces of 128 MiB). Error: k is not below the number of rows.
data::NpyArray<int64_t> nearest_rows(Context&, const FeatureMatrix&, int64_t k, int64_t piece = 0);

// The same for a run's only space, kept in its neighbours.npy.
data::NpyArray<int64_t> neighbours_of(const RowRun&, int64_t k);

}  // namespace kith
