// How forward of NT-Xent on compute capability 9.0 (ntxent_sm90.cu) cuts its rows, and the way of a block through its pieces.
#pragma once
#include "kernels/cuda/ntxent_groups.cuh"
#include "kernels/cuda/ntxent_sm90.cuh"

namespace kith::kernels::cuda::sm90 {

constexpr int kColumns = kConsumers * kTile;  // of a tile, in shared memory
constexpr int kStageRows = 64;
constexpr int kLargestSide = 2048;

// How rows are cut: groups of `side`, pieces of side / parts rows of a group against a group.
struct Cut {
  int rows, side, parts, groups, pieces;
  Cut(int64_t row_count, ForwardCut by) : rows(static_cast<int>(row_count)), side(kColumns) {
    while (side < kLargestSide && ceil_div(rows, side) > by.most_groups) side *= 2;
    groups = static_cast<int>(ceil_div(rows, side));
    parts = groups < by.few_groups ? side / kStageRows : 1;
    pieces = groups * (groups + 1) / 2 * parts;
  }
  int piece_rows() const { return side / parts; }
};

// Of a row's sum: over columns of group J, [consumer][group][row]; and, where it is a column, over a piece's rows [group,
// part][row]. Read are those of J >= the row's group, and of pieces of groups before it.
struct Sums {
  float *of_rows, *of_columns;
};

// The tiles of scores of a block, one after the other: those of as many pieces in a row as every block has, rows innermost. Of
// groups of one tile of columns, pieces of one column stand behind each other: their columns are copied once.
class Walk {
 public:
  __device__ __forceinline__ explicit Walk(const Cut& cut)
      : cut_(cut), piece_(first_of(blockIdx.x)), end_(first_of(blockIdx.x + 1)) {
    open();
  }
  __device__ __forceinline__ void advance() {
    const int before = column_;
    row_ += kStageRows;
    if (row_ >= rows_end_) {
      row_ = rows_begin_;
      column_ += kColumns;
      if (column_ >= columns_end_) ++piece_, open();
    }
    new_columns_ = column_ != before;
  }
  __device__ __forceinline__ bool live() const { return piece_ < end_; }
  __device__ __forceinline__ int row() const { return row_; }
  __device__ __forceinline__ int column() const { return column_; }             // the first of both consumers'
  __device__ __forceinline__ bool new_columns() const { return new_columns_; }  // not those of the tile before
  __device__ __forceinline__ bool last_rows() const { return row_ + kStageRows >= rows_end_; }
  __device__ __forceinline__ bool first_columns() const { return column_ == groups_.column * cut_.side; }
  __device__ __forceinline__ bool last_columns() const { return column_ + kColumns >= columns_end_; }
  __device__ __forceinline__ int row_in_piece() const { return row_ - rows_begin_; }
  __device__ __forceinline__ Groups groups() const { return groups_; }
  __device__ __forceinline__ int column_part() const { return groups_.row * cut_.parts + piece_ % cut_.parts; }

 private:
  __device__ __forceinline__ int first_of(unsigned block) const {
    return static_cast<int>(int64_t{block} * cut_.pieces / gridDim.x);
  }
  __device__ __forceinline__ void open() {
    for (; live(); ++piece_) {
      groups_ = groups_of(piece_ / cut_.parts);
      const int rows = cut_.side / cut_.parts;
      row_ = rows_begin_ = groups_.row * cut_.side + piece_ % cut_.parts * rows;
      rows_end_ = min(rows_begin_ + rows, cut_.rows);
      column_ = groups_.column * cut_.side;
      columns_end_ = min(column_ + cut_.side, cut_.rows);
      if (row_ < rows_end_) return;  // else a part of the last group that has no rows
    }
  }

  Cut cut_;
  int piece_, end_;
  Groups groups_{};
  int rows_begin_ = 0, rows_end_ = 0, columns_end_ = 0, row_ = 0, column_ = 0;
  bool new_columns_ = true;
};

}  // namespace kith::kernels::cuda::sm90
