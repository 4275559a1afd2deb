#!/usr/bin/env bash
# Guess: two nested loops under #pragma unroll whose bounds are constants unroll to straight code, so that an array indexed by their
# counters stays in registers.
# Really: where the inner bound is the outer counter as it is halved (16, 8, 4, 2, 1), nvcc 13.0 leaves the inner loops as loops and puts the
# array into local memory, without a warning; the same 31 selections written as a recursive template, or with the halving in the index
# instead of the bound, have no memory and no loop. It is told by -Xptxas -v alone: "128 bytes stack frame", no spill.
# Meets: whoever picks a register by a number that differs from lane to lane, or reduces a private array by halves, in a kernel.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --no-deps --disable-pip-version-check \
  nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96
cd "$place"
cat >select.cu <<'CUDA'
#define KERNEL(name, ...)                                                       \
  __global__ void name(const float* in, const int* at, float* out) {            \
    float v[32];                                                                \
    _Pragma("unroll") for (int i = 0; i < 32; ++i) v[i] = in[32 * threadIdx.x + i]; \
    const int n = at[threadIdx.x];                                              \
    __VA_ARGS__                                                                 \
  }

KERNEL(halving_bound, _Pragma("unroll") for (int half = 16; half > 0; half /= 2)
       _Pragma("unroll") for (int i = 0; i < half; ++i) v[i] = (n & half) != 0 ? v[i + half] : v[i];
       out[threadIdx.x] = v[0];)

KERNEL(full_bound, _Pragma("unroll") for (int half = 16; half > 0; half /= 2)
       _Pragma("unroll") for (int i = 0; i < 16; ++i) if (i < half) v[i] = (n & half) != 0 ? v[i + half] : v[i];
       out[threadIdx.x] = v[0];)

template <int N>
__device__ __forceinline__ float pick(const float* v, int n) {
  if constexpr (N == 1) {
    return v[0];
  } else {
    const float low = pick<N / 2>(v, n), high = pick<N / 2>(v + N / 2, n);
    return (n & N / 2) != 0 ? high : low;
  }
}
KERNEL(recursive, out[threadIdx.x] = pick<32>(v, n);)
CUDA
nvcc=$(echo venv/lib/python3*/site-packages/nvidia/cu13/bin/nvcc)
chmod +x "${nvcc%/*}"/* "${nvcc%/bin/*}"/nvvm/bin/* 2>/dev/null || true
"$nvcc" --version | grep release
"$nvcc" -std=c++17 -O3 -arch=sm_90 -Xptxas -v -cubin -o select.cubin select.cu 2>report
awk '/Compiling entry/ { sub(/.*_Z[0-9]+/, ""); sub(/PKf.*/, ""); name = $0 } / bytes stack frame/ { print name ": " $0 }' report | tee frames
grep -q '^halving_bound: *128 bytes stack frame, 0 bytes spill stores' frames
grep -q '^full_bound: *0 bytes stack frame' frames
grep -q '^recursive: *0 bytes stack frame' frames
# Seen: Cuda compilation tools, release 13.0, V13.0.88
# recursive:     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
# full_bound:     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
# halving_bound:     128 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
