#include "scan/features/rows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "nn/ops/ops.h"
#include "scan/train/standardisation.h"

namespace kith {
namespace {

constexpr int64_t kPieceBytes = int64_t{16} << 20, kGrain = 64;

int64_t piece_rows(int64_t cols) {
  return std::clamp<int64_t>(kPieceBytes / (cols * static_cast<int64_t>(sizeof(float))), 1, 1 << 15);
}

// By the largest element first: no square overflows or vanishes.
void to_unit_length(std::span<float> row) {
  double largest = 0, square = 0;
  for (const float v : row) largest = std::max(largest, std::abs(double{v}));
  for (const float v : row) square += v / largest * (v / largest);
  const double length = std::sqrt(square);
  for (float& v : row) v = static_cast<float>(v / largest / length);
}

void each_piece(const FeatureMatrix& matrix, const RowTransform& transform,
                const std::function<void(int64_t first, Matrix<const float>)>& use) {
  const int64_t most = std::min(piece_rows(matrix.cols()), matrix.rows());
  std::vector<float> values(static_cast<size_t>(most * matrix.cols()));
  for (int64_t first = 0; first < matrix.rows(); first += most) {
    const Matrix<float> rows{values.data(), std::min(most, matrix.rows() - first), matrix.cols()};
    matrix.read(first, rows.rows, rows.data);
    transform.apply(rows);
    use(first, rows);
  }
}

}  // namespace

void RowTransform::apply(Matrix<float> rows) const {
  if (!unit && mean.empty()) return;
  parallel_for(rows.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const std::span<float> row = rows.row(i);
      if (unit) to_unit_length(row);
      if (!mean.empty())
        for (size_t c = 0; c < row.size(); ++c) row[c] = (row[c] - mean[c]) * inverse[c];
    }
  });
}

RowTransform fit_transform(const FeatureMatrix& matrix, bool unit, Columns columns_as) {
  RowTransform out{.unit = unit, .mean = {}, .inverse = {}};
  if (columns_as == Columns::as_given) return out;
  const Standardisation columns(matrix.rows(), matrix.cols(), [&](const Standardisation::Use& use) {
    each_piece(matrix, {.unit = unit, .mean = {}, .inverse = {}},
               [&](int64_t, Matrix<const float> rows) { use(rows); });
  });
  out.mean.assign(columns.mean.begin(), columns.mean.end());
  out.inverse.assign(columns.inverse.begin(), columns.inverse.end());
  if (columns_as == Columns::centred) std::ranges::fill(out.inverse, 1.f);
  return out;
}

FeatureRows::FeatureRows(Context& ctx, const FeatureMatrix& matrix, RowTransform transform, int64_t most_resident)
    : ctx_(ctx), matrix_(matrix), transform_(std::move(transform)) {
  const int64_t bytes = rows() * cols() * static_cast<int64_t>(sizeof(float));
  if (most_resident == 0 || (ctx.on_cpu() ? bytes > most_resident : !ctx.has_room(bytes))) return;
  resident_ = ctx.empty({rows(), cols()});
  for_each_piece(
      [&](int64_t first, Matrix<const float> piece) { resident_.part(first, piece.rows).copy_from(piece.span()); });
}

Tensor FeatureRows::batch(std::span<const int64_t> index) const {
  if (!resident_.empty()) return gather_rows(ctx_, resident_, Array<int64_t>(ctx_, index).span());
  return ctx_.from({static_cast<int64_t>(index.size()), cols()}, host(index));
}

Tensor FeatureRows::block(int64_t first, int64_t count) const {
  if (!resident_.empty()) return resident_.part(first, count);
  std::vector<float> values(static_cast<size_t>(count * cols()));
  matrix_.read(first, count, values.data());
  transform_.apply({values.data(), count, cols()});
  return ctx_.from({count, cols()}, values);
}

std::vector<float> FeatureRows::host(std::span<const int64_t> index) const {
  std::vector<float> values(index.size() * static_cast<size_t>(cols()));
  matrix_.gather(index, values.data());
  transform_.apply({values.data(), static_cast<int64_t>(index.size()), cols()});
  return values;
}

void FeatureRows::for_each_piece(const std::function<void(int64_t first, Matrix<const float>)>& use) const {
  each_piece(matrix_, transform_, use);
}

int64_t FeatureRows::piece() const { return std::min(piece_rows(cols()), rows()); }

}  // namespace kith
