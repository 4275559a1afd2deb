// A thread per view draws its parameters; then one block per view: the image, and a second one for operations that read
// neighbours, stay in shared memory from the first read of the source to the normalised output.
//
//   none    crop                                                                       | table of normalised values -> out
//   simclr  resize along x -> second image; resize along y and jitter up to contrast; the rest of the jitter, grayscale;
//           blur through the second image, a channel at a time                         | the same
//   strong  crop and flip; each operation in place, or into the other image; cutout    | the same
//
// DRAM: the bytes of the source that the crop shows, once (rows are read again from L1), the view, once, in 16 B stores
// (bf16: 8 B), the parameters: 44 B (strong 548 B) a view. Shared memory at 32 x 32: 8 KiB of images (simclr 10 KiB with the
// weights), 3 KiB of normalised values, strong 4 KiB of tables. Images that need more than 88 KiB (strong: two of 106 x 106)
// lie in global scratch instead, which L2 holds to about 200 x 200. Compiled without fused multiply-add: augment_ops.h
// says why.
#include <algorithm>

#include "kernels/augment.h"
#include "kernels/cuda/augment_simclr.cuh"
#include "kernels/cuda/augment_strong.cuh"
#include "kernels/cuda/core/scratch.cuh"

namespace kith::kernels::cuda {
namespace {

// Where the images lie; how many warps share one (a small image would leave more of them without a row), and how many
// blocks a multiprocessor holds at least (so 64 registers a thread; 128 for the largest, whose addresses take 64 bits).
struct Small {
  static constexpr int warps = 8, blocks = 4;
  static constexpr bool shared = true;
};
struct Large {
  static constexpr int warps = 16, blocks = 2;
  static constexpr bool shared = true;
};
struct Huge {
  static constexpr int warps = 16, blocks = 1;
  static constexpr bool shared = false;
};
constexpr int kDrawThreads = 128;
constexpr int kSmallPixels = 64 * 64;
constexpr int64_t kSharedBytes = 88 << 10;    // every GPU since sm_80 lends a block 99 KiB
constexpr int64_t kSharedBlocks = 8;          // on each multiprocessor; more views than that share a block
constexpr int64_t kScratchBytes = 256 << 20;  // of all blocks, unless one alone needs more
constexpr int64_t kScratchBlocks = 1;         // on each multiprocessor

__global__ void __launch_bounds__(kDrawThreads)
    draw_simclr_kernel(const __grid_constant__ Job job, const __grid_constant__ SimclrPolicy policy,
                       SimclrView* views) {
  const int64_t row = int64_t{blockIdx.x} * kDrawThreads + threadIdx.x;
  if (row < job.rows) views[row] = draw_simclr(job.stream(row), policy, job.height, job.width);
}

__global__ void __launch_bounds__(kDrawThreads)
    draw_strong_kernel(const __grid_constant__ Job job, const __grid_constant__ StrongPolicy policy,
                       DrawnStrong* views) {
  const int64_t row = int64_t{blockIdx.x} * kDrawThreads + threadIdx.x;
  if (row >= job.rows) return;
  store_drawn(draw_strong(job.stream(row), policy, job.height, job.width, job.out_height, job.out_width), job,
              views[row]);
}

// Parameters from the draws into shared memory.
template <int Warps, class T>
__device__ __forceinline__ void fetch(const T& from, T& to) {
  static_assert(sizeof(T) % 4 == 0 && std::is_trivially_copyable_v<T>);
  for (int i = static_cast<int>(threadIdx.x); i < static_cast<int>(sizeof(T) / 4); i += Warps * kWarp)
    reinterpret_cast<uint32_t*>(&to)[i] = reinterpret_cast<const uint32_t*>(&from)[i];
}

template <class P>
__global__ void __launch_bounds__(P::warps* kWarp, P::blocks) none_kernel(const __grid_constant__ Job job) {
  __shared__ float table[3 * 256];
  uint32_t* image = job.memory<P>();
  fill_table<P::warps>(job, table);
  const int top = centre_offset(job.height - job.out_height), left = centre_offset(job.width - job.out_width);
  for (int64_t row = blockIdx.x; row < job.rows; row += gridDim.x) {
    if (job.sample(row) < 0 || job.sample(row) >= job.count) {
      fill_with_nan<P::warps>(job, row);
      continue;
    }
    __syncthreads();  // the previous view is written
    load_crop<P::warps>(job, row, top, left, false, image);
    __syncthreads();  // the image is complete, and the table
    write_view<P::warps>(job, image, table, row);
  }
}

template <class P>
__global__ void __launch_bounds__(P::warps* kWarp, P::blocks)
    simclr_kernel(const __grid_constant__ Job job, const SimclrView* views) {
  __shared__ float table[3 * 256];
  __shared__ SimclrView v;
  __shared__ unsigned scratch[P::warps];
  uint32_t* memory = job.memory<P>();
  fill_table<P::warps>(job, table);
  for (int64_t row = blockIdx.x; row < job.rows; row += gridDim.x) {
    if (job.sample(row) < 0 || job.sample(row) >= job.count) {
      fill_with_nan<P::warps>(job, row);
      continue;
    }
    fetch<P::warps>(views[row], v);  // nothing reads the previous view's past the barrier before it is written
    __syncthreads();                 // the parameters are there, the previous view is written
    fill_weights<P::warps>(job, v.crop, memory);
    __syncthreads();  // the weights are complete
    resize_along_x<P::warps>(job, row, v, memory);
    __syncthreads();  // all rows are resized
    finish_colours<P::warps>(job, v, memory, scratch);
    if (v.blur) blur<P::warps>(job, v.sigma, memory);
    __syncthreads();  // the image is complete, and the table
    write_view<P::warps>(job, memory, table, row);
  }
}

template <class P>
__global__ void __launch_bounds__(P::warps* kWarp, P::blocks)
    strong_kernel(const __grid_constant__ Job job, const DrawnStrong* views) {
  __shared__ float table[3 * 256];
  __shared__ DrawnStrong v;
  __shared__ Tables tables;
  __shared__ unsigned scratch[P::warps];
  uint32_t* memory = job.memory<P>();
  fill_table<P::warps>(job, table);
  for (int64_t row = blockIdx.x; row < job.rows; row += gridDim.x) {
    if (job.sample(row) < 0 || job.sample(row) >= job.count) {
      fill_with_nan<P::warps>(job, row);
      continue;
    }
    fetch<P::warps>(views[row], v);  // nothing reads the previous view's past the barrier before it is written
    __syncthreads();                 // the parameters are there, the previous view is written
    load_crop<P::warps>(job, row, v.top, v.left, v.flip != 0, memory);
    uint32_t* image = apply_operations<P::warps>(job, v, tables, scratch, memory, memory + job.layout.spare);
    cut_out<P::warps>(job, v, image);
    __syncthreads();  // the image is complete, and the table
    write_view<P::warps>(job, image, table, row);
  }
}

Layout layout(const Augment& a) {
  Layout l{};
  l.words = int64_t{a.out_height} * a.out_width;
  const auto append = [&l](int64_t words) {
    const int64_t at = l.words;
    l.words += words;
    return static_cast<int>(at);
  };
  if (a.policy == AugmentPolicy::strong) l.spare = append(l.words);
  if (a.policy == AugmentPolicy::simclr) {
    const bool blurred = a.simclr.blur > 0;
    l.spare = append(int64_t{blurred ? std::max(a.height, a.out_height) : a.height} * a.out_width);
    l.first_x = append(a.out_width);
    l.first_y = append(a.out_height);
    // The largest box takes the most weights.
    l.weight_x = append(int64_t{a.out_width} * resize_taps(a.width, a.out_width));
    l.weight_y = append(int64_t{a.out_height} * resize_taps(a.height, a.out_height));
    l.kernel_x = append(blurred ? 2 * blur_radius(a.out_width) + 1 : 0);
    l.kernel_y = append(blurred ? 2 * blur_radius(a.out_height) + 1 : 0);
  }
  return l;
}

Job job_of(const Augment& a) {
  const bool aligned = reinterpret_cast<uintptr_t>(a.out) % 16 == 0 && reinterpret_cast<uintptr_t>(a.out_bf16) % 8 == 0;
  return {.images = a.images,
          .from = a.source,
          .count = a.count,
          .height = a.height,
          .width = a.width,
          .channels = a.channels,
          .index = a.index.data(),
          .rows = static_cast<int64_t>(a.index.size()) * a.views,
          .views = a.views,
          .first_view = a.first_view,
          .seed = a.seed,
          .epoch = a.epoch,
          .live = a.live,
          .normalisation = a.normalisation,
          .out_height = a.out_height,
          .out_width = a.out_width,
          .out = a.out,
          .out_bf16 = reinterpret_cast<__nv_bfloat16*>(a.out_bf16),
          .vectors = aligned && int64_t{a.out_height} * a.out_width * a.channels % 4 == 0,
          .layout = layout(a),
          .scratch = nullptr};
}

template <class P>
void run(const Augment& a, Job job, Queue q) {
  const int64_t bytes = 4 * job.layout.words;
  const int64_t most = P::shared ? kSharedBlocks * multiprocessors(q)
                                 : std::clamp<int64_t>(kScratchBytes / bytes, 1, kScratchBlocks * multiprocessors(q));
  const int64_t blocks = std::min(job.rows, most);
  const Scratch<uint32_t> scratch(P::shared ? 0 : blocks * job.layout.words, q);
  job.scratch = scratch.data();
  const LaunchShape shape{.grid = dim3(static_cast<unsigned>(blocks)),
                          .block = dim3(P::warps * kWarp),
                          .smem_bytes = P::shared ? static_cast<size_t>(bytes) : 0};
  const LaunchShape draw{.grid = dim3(static_cast<unsigned>(ceil_div(job.rows, kDrawThreads))),
                         .block = dim3(kDrawThreads)};
  if (a.policy == AugmentPolicy::none) {
    launch("augment_none", none_kernel<P>, shape, q, job);
  } else if (a.policy == AugmentPolicy::simclr) {
    const Scratch<SimclrView> views(job.rows, q);
    launch("augment_draw_simclr", draw_simclr_kernel, draw, q, job, a.simclr, views.data());
    launch("augment_simclr", simclr_kernel<P>, shape, q, job, views.data());
  } else {
    const Scratch<DrawnStrong> views(job.rows, q);
    launch("augment_draw_strong", draw_strong_kernel, draw, q, job, a.strong, views.data());
    launch("augment_strong", strong_kernel<P>, shape, q, job, views.data());
  }
}

}  // namespace

void augment(const Augment& a, Queue q) {
  if (a.index.empty()) return;
  const Job job = job_of(a);
  if (4 * job.layout.words > kSharedBytes) return run<Huge>(a, job, q);
  int64_t{a.out_height} * a.out_width > kSmallPixels ? run<Large>(a, job, q) : run<Small>(a, job, q);
}

}  // namespace kith::kernels::cuda
