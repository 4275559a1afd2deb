// The paths of NT-Xent on a device, for tests of each.
#pragma once
#include "kernels/core/bf16.h"
#include "kernels/core/check.h"
#include "kernels/cuda/ntxent.cuh"
#include "tests/support/device.h"

namespace kith::test {

using namespace kernels;

// The f32 path, and the bf16 path with either source of operands, by the instructions of compute capability 9.0, or as the
// entry chooses.
enum class Path : uint8_t { f32, converted, prepared, sm90, bf16 };
constexpr Path kPaths[] = {Path::f32, Path::converted, Path::prepared};  // of any device

// Rows as the products of a path take them: what the oracle multiplies.
inline HostMatrix<float> as_products(HostMatrix<float> rows, Path path) {
  for (float& v : rows.values) v = path == Path::f32 ? v : widen(narrow(v));
  return rows;
}

inline cuda::Operands operands_of(Path path) {
  return path == Path::prepared ? cuda::Operands::prepared : cuda::Operands::converted;
}
// By the entry.
template <class Arguments>
Arguments with_bf16(Arguments a) {
  a.products = Products::bf16;
  return a;
}
inline void run_path(const NtXentForward<float>& f, Path path, Queue q, cuda::ForwardCut groups = {}) {
  if (path == Path::f32) return ntxent_forward(f, q);
  if (path == Path::bf16) return ntxent_forward(with_bf16(f), q);
  if (path == Path::sm90) return check(cuda::ntxent_forward_sm90(f, q, groups), "the path does not take this problem");
  cuda::ntxent_forward_mma(f, q, operands_of(path), groups.most_groups);
}
inline void run_path(const NtXentBackward<float>& b, Path path, Queue q) {
  if (path == Path::f32) return ntxent_backward(b, q);
  if (path == Path::bf16) return ntxent_backward(with_bf16(b), q);
  if (path == Path::sm90) return check(cuda::ntxent_backward_sm90(b, q), "the path does not take this problem");
  cuda::ntxent_backward_mma(b, q, operands_of(path));
}

}  // namespace kith::test
