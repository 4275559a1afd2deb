// Which coordinates a window holds and which windows hold a coordinate, shared by every backend.
#pragma once
#include "kernels/pool.h"

namespace kith::kernels {

// first .. last - 1, along one axis.
struct PoolRange {
  int first, last;
};

struct PoolWindow {
  PoolRange rows, columns;

  KITH_HOST_DEVICE constexpr int size() const { return (rows.last - rows.first) * (columns.last - columns.first); }
};

// The part of output (oy, ox)'s window that lies in the image.
KITH_HOST_DEVICE constexpr PoolWindow pool_window(const PoolShape& s, int oy, int ox) {
  const int y = oy * s.stride - s.padding, x = ox * s.stride - s.padding;
  const int bottom = y + s.kernel_height, right = x + s.kernel_width;
  return {{y > 0 ? y : 0, bottom < s.height ? bottom : s.height}, {x > 0 ? x : 0, right < s.width ? right : s.width}};
}

// The position of input (y, x) in that window.
KITH_HOST_DEVICE constexpr int pool_position(const PoolShape& s, int oy, int ox, int y, int x) {
  return (y - oy * s.stride + s.padding) * s.kernel_width + x - ox * s.stride + s.padding;
}

// The outputs whose windows hold a coordinate.
KITH_HOST_DEVICE constexpr PoolRange pool_holders(int at, int kernel, int stride, int padding, int outs) {
  const int over = at + padding - kernel;  // windows that begin at or before it have ended
  const int last = (at + padding) / stride + 1;
  return {over < 0 ? 0 : over / stride + 1, last < outs ? last : outs};
}

// The outputs whose windows hold input (y, x).
KITH_HOST_DEVICE constexpr PoolWindow pool_holders(const PoolShape& s, int y, int x) {
  return {pool_holders(y, s.kernel_height, s.stride, s.padding, s.out_height()),
          pool_holders(x, s.kernel_width, s.stride, s.padding, s.out_width())};
}

}  // namespace kith::kernels
