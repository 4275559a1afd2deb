// Tensor copies (TMA, sm_90): one thread copies a box of a matrix from global to shared memory, zeros where the box leaves the
// matrix; its bytes complete on an mbarrier.
//
// Rows of a box lie one behind the other in shared memory. With a swizzle of S bytes a row has S bytes, and of each 128 bytes
// of shared memory the 16-byte pieces stand in an order that depends on the number of the 128 bytes: piece p of row r of a
// tile that begins on 8 S bytes is at position p ^ (r S / 128) % (S / 16) of it. Then 8 rows' pieces of one column meet no
// bank twice: what a product reads (wgmma.cuh), with the same swizzle in its descriptor.
#pragma once
#include <cuda.h>

#include "kernels/core/check.h"
#include "kernels/core/types.h"
#include "kernels/cuda/core/mbarrier.cuh"
#include "kernels/cuda/core/status.cuh"

namespace kith::kernels::cuda {

enum class Swizzle : int {
  none = CU_TENSOR_MAP_SWIZZLE_NONE,
  bytes32 = CU_TENSOR_MAP_SWIZZLE_32B,
  bytes64 = CU_TENSOR_MAP_SWIZZLE_64B,
  bytes128 = CU_TENSOR_MAP_SWIZZLE_128B
};

struct Box {
  unsigned rows, columns;
  constexpr unsigned bytes(unsigned of_element) const { return rows * columns * of_element; }
};

#ifndef KITH_SIMT
// The driver's function, found without linking against the driver.
inline decltype(&cuTensorMapEncodeTiled) tensor_map_encoder() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found;
  cuda_check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found));
  check(found == cudaDriverEntryPointSuccess, "the CUDA driver has no cuTensorMapEncodeTiled (12.0)");
  return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
}
#endif

// Of a row-major matrix of 16-bit elements on 16 bytes, with rows of a multiple of 16 bytes.
inline CUtensorMap tensor_map(CUtensorMapDataType type, const void* data, int64_t rows, int64_t columns, Box box,
                              Swizzle swizzle) {
  CUtensorMap map;
  const cuuint64_t extents[2] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows)},
                   strides[1] = {static_cast<cuuint64_t>(columns) * 2};
  const cuuint32_t sides[2] = {box.columns, box.rows}, steps[2] = {1, 1};
#ifdef KITH_SIMT
  const auto encode = cuTensorMapEncodeTiled;
#else
  static const auto encode = tensor_map_encoder();
#endif
  const CUresult status = encode(&map, type, 2, const_cast<void*>(data), extents, strides, sides, steps,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, static_cast<CUtensorMapSwizzle>(swizzle),
                                 CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  check(status == CUDA_SUCCESS, "cuTensorMapEncodeTiled refuses the map of a matrix of " + std::to_string(rows) +
                                    " x " + std::to_string(columns));
  return map;
}

// The box whose first element is (row, column), to `shared` on 128 bytes. The map is a kernel's __grid_constant__ parameter.
__device__ __forceinline__ void tensor_copy(void* shared, const CUtensorMap& map, int row, int column, Mbarrier* b) {
#ifdef KITH_SIMT
  simt::tensor_copy(shared, simt_detail::decoded(map), column, row, b);
#else
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::
          "r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))),
      "l"(&map), "r"(static_cast<unsigned>(__cvta_generic_to_shared(b))), "r"(column), "r"(row)
      : "memory");
#endif
}

}  // namespace kith::kernels::cuda
