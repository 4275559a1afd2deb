// The forward pass of NT-Xent in versions, each one idea from the next. README.md here tells what each teaches.
#pragma once
#include <span>

#include "kernels/ntxent.h"

namespace kith::ladder {

constexpr int kDim = 128;   // of every rung: the rows of z
constexpr int kBlock = 64;  // rows come in multiples of this

using Forward = kernels::NtXentForward<
    float>;  // anchors and keys one array z, of bf16 numbers, so that all rungs multiply the same

void naive(const Forward&, Queue);
void tiled(const Forward&, Queue);
void tensor(const Forward&, Queue);
void fused(const Forward&, Queue);      // the kernel of kernels/cuda
void warpgroup(const Forward&, Queue);  // compute capability 9.0
void cluster(const Forward&, Queue);    // the same

struct Rung {
  const char* name;
  void (*run)(const Forward&, Queue);
  int only_sm = 0;  // the compute capability it is for; 0: 8.0 and what came after
  bool supports(Queue q) const { return only_sm == 0 || q.sm == only_sm; }
};
std::span<const Rung> rungs();  // from the foot up

}  // namespace kith::ladder
