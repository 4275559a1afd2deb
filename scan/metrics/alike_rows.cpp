#include "scan/metrics/alike_rows.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kith {

void AlikeRows::add(const Matrix<const float>& rows) {
  constexpr float kRounding = 0x1p-17f;
  if (rows.rows == 0) return;
  if (rows_ == 0) {
    first_.assign(rows.row(0).begin(), rows.row(0).end());
    for (const float v : first_) largest_ = std::max(largest_, std::abs(v));
  }
  rows_ += rows.rows;
  for (int64_t i = 0; alike_ && i < rows.rows; ++i) {
    const std::span<const float> row = rows.row(i);
    for (size_t c = 0; alike_ && c < row.size(); ++c) alike_ = std::abs(row[c] - first_[c]) <= kRounding * largest_;
  }
}

}  // namespace kith
