// Convolution 3 x 3 of bf16 images in host memory, stride 1, padding 1, from 16 products where the sum by its definition takes
// 36: minimal filtering F(2 x 2, 3 x 3). Winograd 1980, Arithmetic Complexity of Computations; Lavin & Gray 2016
// (arXiv:1509.09308).
//
//   forward  y[n,i,j,o] = sum_{a,b,c} x[n,i+a-1,j+b-1,c] w[o,a,b,c]
//   data     dx from dy: the same of w'[c,a,b,o] = w[o,2-a,2-b,c]
//   weights  dw[o,a,b,c] = sum_{n,i,j} x[n,i+a-1,j+b-1,c] dy[n,i,j,o]
//
// For each tile of 2 x 2 results from 4 x 4 pixels d, which overlap by 2 (. is element by element):
//
//   Y = A^T [ sum_c U_c . V_c ] A     U_c = G w_c G^T     V_c = B^T d_c B
//   dw = G^T [ sum_tiles D . V ] G    D = A dY A^T
//
//         | 1  0 -1  0 |       | 1    0    0  |
//   B^T = | 0  1  1  0 |   G = | 1/2  1/2 1/2 |   A^T = | 1  1  1  0 |
//         | 0 -1  1  0 |       | 1/2 -1/2 1/2 |         | 0  1 -1 -1 |
//         | 0  1  0 -1 |       | 0    0    1  |
//
// Transforms are in f32; U, V and D are rounded to bf16, whose products are summed in f32 (VDPBF16PS). Images are rounded once.
//
// Error   The sum by its definition has exact products. Here each term carries two roundings, of relative rms r each. With
//         independent operands of variances s and t, E V^2 = 4 s, and the squares of A^T and G that meet in one result add up
//         to 6.25 t: the variance of the error is 2 r^2 25 s t a channel, that of the result 9 s t. So the rms error is
//         sqrt(50 / 9) r = 2.4 r of the result's, 2.6 r with the rounding of the result, which is all of the direct sum's. For
//         weights the variances are 2 r^2 (4, 2, 4) x (4, 2, 4) s t a tile against (2, 2, 2) x (2, 2, 2) s t over the three rows
//         and columns, sqrt(50 / 9) r in the mean. r <= 2^-8 / sqrt 3. Measured with normal operands: 4.3e-3 against 1.6e-3,
//         weights 3.5e-3 against 4e-7.
//         F(4 x 4, 3 x 3), with 1.8 times fewer products, has 1045 in the place of 25: 15 r. bf16 does not carry that.
//         Infinite operands give NaN where the direct sum gives infinities; operands below 2^-126 may count as zero.
// Limits  Both numbers of channels multiples of 32; any size of image. A processor with AVX512_BF16 (winograd_bf16_offered).
// Bits    The same for any number of threads.
// Errors  Error where the processor lacks the instructions, or a limit is not kept.
// Cost    32 from to flop a tile. On Zen 4, which starts one 512-bit VDPBF16PS a cycle, from to / 2 cycles; beside them about 65
//         to transform 32 channels of its pixels or of dY, and 30 for 16 channels of its results.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/core/bf16.h"
#include "kernels/core/types.h"

namespace kith::kernels {

struct WinogradBf16 {
  int64_t images = 0, height = 0, width = 0;
  int64_t from = 0, to = 0;          // channels that are summed over, and those of the result
  const bf16* x = nullptr;           // [images, height, width, from]: x, or dy
  const bf16* weight = nullptr;      // forward [to, 3, 3, from]; data [from, 3, 3, to], as forward has it
  bf16* y = nullptr;                 // [images, height, width, to]: y, or dx
  std::span<bf16> transformed = {};  // scratch for U, 16 from to, on a cache line
  Write write = Write::overwrite;    // add: in f32, rounded once
};

void winograd_bf16_forward(const WinogradBf16&);
void winograd_bf16_data(const WinogradBf16&);

// On the calling thread alone.
struct WinogradBf16Weights {
  int64_t images = 0, height = 0, width = 0, in = 0, out = 0;
  const bf16* x = nullptr;        // [images, height, width, in]
  const bf16* dy = nullptr;       // [images, height, width, out]
  float* dw = nullptr;            // [out, 3, 3, in], overwritten
  std::span<float> scratch = {};  // winograd_bf16_weights_scratch of these extents, on a cache line
};

void winograd_bf16_weights(const WinogradBf16Weights&);
int64_t winograd_bf16_weights_scratch(int64_t height, int64_t width, int64_t in, int64_t out);

// Whether this processor can (its ONEDNN_MAX_CPU_ISA permitting).
bool winograd_bf16_offered();

}  // namespace kith::kernels
