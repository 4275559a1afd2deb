// The passes over the rows that k-means is made of, on a device: they enqueue, and those that return a value wait for it.
// All memory is the device's.
#pragma once
#include <vector>

#include "kernels/core/philox.h"
#include "kernels/core/types.h"

namespace kith::kernels::cuda {

// Rows of each cluster, summed in f64.
struct ClusterSums {
  double* sum;     // [clusters, dim]
  int64_t* count;  // [clusters]
};

// Writes labels; returns how many changed. Error on a row at no finite distance.
int64_t assign_rows(Matrix<const float> x, Matrix<const float> centroids, int32_t* labels, Queue q);

// Fills sums; returns how many clusters are empty.
int64_t sum_clusters(Matrix<const float> x, const int32_t* labels, int64_t clusters, ClusterSums sums, Queue q);

// Squared distance of each row to the centroid of its label, in f64; their sum is returned.
double label_distances(Matrix<const float> x, Matrix<const float> centroids, const int32_t* labels, double* distance,
                       Queue q);

// Gives each empty cluster, lowest first, the row farthest from its centroid among those that do not stand alone in
// their cluster: that row leaves its old sum and label. Nothing moves when every row lies on its centroid.
void fill_empty(Matrix<const float> x, int64_t clusters, double* distance, int32_t* labels, ClusterSums sums, Queue q);

// Centroids from sums; returns the squared distance they moved. An empty cluster keeps its centroid.
double move_centroids(ClusterSums sums, Matrix<float> centroids, Queue q);

// Mean over columns of the variance over rows; Error on a NaN or infinity.
double mean_column_variance(Matrix<const float> x, Queue q);

// Greedy k-means++.
void seed_centroids(Matrix<const float> x, Matrix<float> centroids, Random random, Queue q);

}  // namespace kith::kernels::cuda
