// Index work that runs on both devices, written once: for Thrust's OpenMP system on the CPU, its CUDA system under nvcc.
// Arguments are memory of the policy's device.
#pragma once
#include <thrust/binary_search.h>
#include <thrust/copy.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/sort.h>

#include "kernels/index/label_sums.h"

#ifdef __CUDACC__
#define KITH_BOTH __host__ __device__
#else
#define KITH_BOTH
#endif

namespace kith::kernels::ordered {

using Whole = thrust::counting_iterator<int64_t>;

// Rows, which stand in some order, by their labels, and where each label begins. `labels` become those of `rows`.
template <class Policy>
void by_label(const Policy& policy, int32_t* labels, int64_t* rows, int64_t count, int64_t groups, int64_t* starts) {
  thrust::stable_sort_by_key(policy, labels, labels + count, rows);
  thrust::lower_bound(policy, labels, labels + count, Whole(0), Whole(groups + 1), starts);
}

// One column of one label's sum.
struct AddColumn {
  Matrix<const float> x;
  const int64_t *rows, *starts;
  double* sums;
  int64_t* counts;

  KITH_BOTH void operator()(int64_t item) const {
    const int64_t g = item / x.cols, column = item % x.cols;
    double sum = sums[item];
    for (int64_t m = starts[g]; m < starts[g + 1]; ++m) sum += static_cast<double>(x.data[rows[m] * x.cols + column]);
    sums[item] = sum;
    if (column == 0) counts[g] += starts[g + 1] - starts[g];
  }
};

struct LabelScratch {
  int32_t* labels;  // [rows]
  int64_t* rows;    // [rows]
  int64_t* starts;  // [groups + 1]
};

// For a device. Neighbouring threads read neighbouring numbers of the same row.
template <class Policy>
void add_label_sums(const Policy& policy, const LabelSums& a, const LabelScratch& s) {
  thrust::copy(policy, a.labels.data(), a.labels.data() + a.x.rows, s.labels);
  thrust::copy(policy, Whole(0), Whole(a.x.rows), s.rows);
  by_label(policy, s.labels, s.rows, a.x.rows, a.sums.rows, s.starts);
  thrust::for_each(policy, Whole(0), Whole(a.sums.size()),
                   AddColumn{a.x, s.rows, s.starts, a.sums.data, a.counts.data()});
}

}  // namespace kith::kernels::ordered
