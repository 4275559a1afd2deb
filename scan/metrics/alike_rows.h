// Whether a network tells images apart at all: one that is dead, or has collapsed, gives all of them the same features.
#pragma once
#include <vector>

#include "kernels/core/types.h"

namespace kith {

class AlikeRows {
 public:
  void add(const Matrix<const float>& rows);
  // All rows so far are the first one, to rounding: no element is further off than 2^-17 of its largest. (What f32 loses in a sum
  // of n terms is about sqrt(n) 2^-24 of it; networks here sum up to some thousand.) False of fewer than two.
  bool all() const { return alike_ && rows_ > 1; }
  bool zero() const { return largest_ == 0; }  // the first row

 private:
  std::vector<float> first_;
  float largest_ = 0;
  int64_t rows_ = 0;
  bool alike_ = true;
};

}  // namespace kith
