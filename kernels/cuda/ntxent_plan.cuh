// How a problem is cut for the kernels of the bf16 path by mma.sync (ntxent_tiles.cuh): blocks, memory, and which of them runs.
#pragma once
#include <algorithm>

#include "kernels/cuda/core/splits.h"
#include "kernels/cuda/ntxent_tiles.cuh"

namespace kith::kernels::cuda {

struct Plan {
  int padded_dim, tile_count;
  Range range;
  bool prepared;
  bool one_array;  // rows and columns have one copy
  int block_rows;  // of a row tile
  int row_tiles;

  Plan(const Pass& p, float tau, Operands operands)
      : padded_dim(p.dim <= 32    ? 32
                   : p.dim <= 64  ? 64
                   : p.dim <= 128 ? 128
                                  : 256),
        tile_count(static_cast<int>(ceil_div(p.column_count, kCols))),
        range(tau >= kSmallestBoundedTau ? Range::bounded : Range::any),
        prepared(operands == Operands::prepared || (operands == Operands::by_size && p.row_count > kConvertedRows)),
        one_array(p.rows == p.columns && p.row_count == p.column_count),
        block_rows(rows_of(sets_of(padded_dim, prepared))),
        row_tiles(static_cast<int>(ceil_div(p.row_count, block_rows))) {}
  size_t smem_bytes() const {
    return sizeof(__nv_bfloat16) * static_cast<size_t>((block_rows + 2 * kCols) * (padded_dim + kPad));
  }
  // Blocks among which the column tiles of a row tile are divided, at most `most`, where a multiprocessor holds `resident`.
  int splits(int resident, int most, Queue q) const {
    return fullest_splits(row_tiles, int64_t{resident} * multiprocessors(q), most);
  }
  LaunchShape shape(int blocks) const {
    return {.grid = dim3(static_cast<unsigned>(row_tiles), static_cast<unsigned>(blocks)),
            .block = dim3(kThreads),
            .smem_bytes = smem_bytes()};
  }
  // Rows of the columns' copy, of whole tiles; of whole row tiles too where it is the rows' as well.
  int64_t column_rows() const {
    return std::max(int64_t{tile_count} * kCols, one_array ? int64_t{row_tiles} * block_rows : 0);
  }
  // Of the bf16 copy: the columns', then the rows', each [whole tiles][padded dim].
  int64_t column_elements() const { return prepared ? column_rows() * padded_dim : 0; }
  int64_t row_elements() const { return prepared && !one_array ? int64_t{row_tiles} * block_rows * padded_dim : 0; }
  int64_t copy_elements() const { return column_elements() + row_elements(); }
};

// Forward of NT-Xent by half of its scores (ntxent_mma_pairs.cu). False, and nothing done, where that is not for this problem:
// anchors and keys that are two arrays, exponents without a bound, a padded dim of 256, more than 131,072 rows.
bool ntxent_forward_by_pairs(const NtXentForward<float>&, const Plan&, const Pass&, const __nv_bfloat16* copy,
                             int few_groups, Queue);

// Writes the bf16 copy: launches of its own, where the problem is large.
void ntxent_prepare(const Plan&, const Pass&, __nv_bfloat16* copy, Queue);

// Calls f(dim, range, rows, columns) with the padded dim and the range as compile-time constants, and both sources.
template <class F>
void with_constants(const Plan& plan, const Pass& p, const __nv_bfloat16* copy, F f) {
  const auto with_range = [&](auto dim, auto rows, auto columns) {
    if (plan.range == Range::bounded)
      f(dim, std::integral_constant<Range, Range::bounded>{}, rows, columns);
    else
      f(dim, std::integral_constant<Range, Range::any>{}, rows, columns);
  };
  const auto with_source = [&](auto dim) {
    const auto converted = [&](const float* from, int count) {
      const int whole = p.dim % 4 == 0 && reinterpret_cast<uintptr_t>(from) % 16 == 0;
      return Converted<dim.value>{from, count, p.dim, whole};
    };
    if (plan.prepared)
      with_range(dim, Prepared<dim.value>{plan.one_array ? copy : copy + plan.column_elements()},
                 Prepared<dim.value>{copy});
    else
      with_range(dim, converted(p.rows, p.row_count), converted(p.columns, p.column_count));
  };
  switch (plan.padded_dim) {
    case 32:
      return with_source(std::integral_constant<int, 32>{});
    case 64:
      return with_source(std::integral_constant<int, 64>{});
    case 128:
      return with_source(std::integral_constant<int, 128>{});
    default:
      return with_source(std::integral_constant<int, 256>{});
  }
}

}  // namespace kith::kernels::cuda
