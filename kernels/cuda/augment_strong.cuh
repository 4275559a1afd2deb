// The operations of the strong policy on one view.
#pragma once
#include "kernels/cuda/augment_view.cuh"

namespace kith::kernels::cuda {

// What is drawn for a view, and where its geometric operations take pixels from. In whole words, none of them padding, so
// that the memory behind it is the same in every run.
struct DrawnStrong {
  struct Step {
    int32_t op;
    float magnitude;
    FixedAffine move;  // written where the operation is geometric
  };
  int32_t top, left, flip, operations, cutout_side, cutout_top, cutout_left;
  Step steps[kMaxStrongOperations];
};

__device__ __forceinline__ void store_drawn(const StrongView& v, const Job& job, DrawnStrong& out) {
  out.top = v.crop.top;
  out.left = v.flip ? job.width - v.crop.left - v.crop.width : v.crop.left;  // the crop is drawn in the flipped image
  out.flip = v.flip ? 1 : 0;
  out.operations = v.operations;
  out.cutout_side = v.cutout_side;
  out.cutout_top = v.cutout_y - v.cutout_side / 2;
  out.cutout_left = v.cutout_x - v.cutout_side / 2;
  for (int i = 0; i < v.operations; ++i) {
    out.steps[i].op = static_cast<int32_t>(v.draws[i].op);
    out.steps[i].magnitude = v.draws[i].magnitude;
    if (is_geometric(v.draws[i].op))
      out.steps[i].move = fixed_affine(strong_affine(v.draws[i], job.out_height, job.out_width));
  }
}

// The drawn operations in their order; returns the buffer that holds the result. An operation that reads neighbours goes
// from one buffer into the other behind one barrier: by then every thread has finished the image, and has read what
// the other buffer held before.
template <int Warps>
__device__ __forceinline__ uint32_t* apply_operations(const Job& job, const DrawnStrong& drawn, Tables& tables,
                                                      unsigned* scratch, uint32_t* image, uint32_t* other) {
  const int h = job.out_height, w = job.out_width;
  const auto flip_buffers = [&] {
    uint32_t* swap = image;
    image = other;
    other = swap;
  };
  for (int i = 0; i < drawn.operations; ++i) {
    const float m = drawn.steps[i].magnitude;
    const StrongOp op = static_cast<StrongOp>(drawn.steps[i].op);
    if (is_geometric(op)) {
      __syncthreads();
      move_pixels<Warps>(image, other, h, w, drawn.steps[i].move);
      flip_buffers();
    } else if (op == StrongOp::sharpness) {
      __syncthreads();
      sharpen<Warps>(image, other, h, w, m);
      flip_buffers();
    } else if (op == StrongOp::autocontrast || op == StrongOp::equalize) {
      apply_tables<Warps>(image, h, w, op == StrongOp::equalize, tables);
    } else if (op != StrongOp::identity) {
      const int32_t grey = op == StrongOp::contrast ? mean_grey<Warps>(own_luma<Warps>(image, h, w), h, w, scratch) : 0;
      map_pixels<Warps>(image, h, w, [&](Pixel p) {
        if (op == StrongOp::solarize)
          return Pixel{solarize_entry(p.r, m), solarize_entry(p.g, m), solarize_entry(p.b, m)};
        if (op == StrongOp::posterize) {
          const int bits = static_cast<int>(m);
          return Pixel{posterize_entry(p.r, bits), posterize_entry(p.g, bits), posterize_entry(p.b, bits)};
        }
        return op == StrongOp::color ? saturated(p, m) : blended(p, grey, m);  // brightness blends with black
      });
    }
  }
  return image;
}

// Pixels of the drawn square become kCut, which write_view writes as 0.
template <int Warps>
__device__ __forceinline__ void cut_out(const Job& job, const DrawnStrong& v, uint32_t* image) {
  if (v.cutout_side == 0) return;
  for_own_pixels<Warps>(job.out_height, job.out_width, [&](int y, int x, int p) {
    if (y >= v.cutout_top && y < v.cutout_top + v.cutout_side && x >= v.cutout_left &&
        x < v.cutout_left + v.cutout_side)
      image[p] = kCut;
  });
}

}  // namespace kith::kernels::cuda
