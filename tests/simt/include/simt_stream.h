// The part of CUDA's runtime that the host uses: devices, memory, streams, events, graphs. For the SIMT runner: one
// device, one order of work.
#pragma once
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/simt/runner/runtime.h"
#include "tests/simt/runner/stream.h"

using cudaStream_t = struct CUstream_st*;
struct CUevent_st {
  std::chrono::steady_clock::time_point at;
};
using cudaEvent_t = CUevent_st*;
using cudaGraph_t = simt::Graph*;
using cudaGraphExec_t = simt::Graph*;
using cudaGraphNode_t = const simt::Work*;

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorNotReady = 600,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaGraphNodeType {
  cudaGraphNodeTypeKernel,
  cudaGraphNodeTypeMemcpy,
  cudaGraphNodeTypeMemset,
  cudaGraphNodeTypeEventRecord,
  cudaGraphNodeTypeMemAlloc,
  cudaGraphNodeTypeMemFree
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone, cudaStreamCaptureStatusActive };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal };
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventBlockingSync = 1, cudaEventDisableTiming = 2;

inline const char* cudaGetErrorString(cudaError_t e) {
  switch (e) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    default:
      return "invalid value";
  }
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
namespace simt_detail {
inline cudaError_t now(const char* call) {
  return simt::allowed_now(call) ? cudaSuccess : cudaErrorStreamCaptureUnsupported;
}
}  // namespace simt_detail

// ---- the device ----
struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
  size_t totalGlobalMem, sharedMemPerBlockOptin;
};
inline cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
inline cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
inline cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return *free = simt::free_bytes(), *total = size_t{8} << 30, cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  *p = {.name = "SIMT runner",
        .major = simt::options().device.sm / 10,
        .minor = simt::options().device.sm % 10,
        .multiProcessorCount = simt::options().device.multiprocessors,
        .totalGlobalMem = size_t{8} << 30,
        .sharedMemPerBlockOptin = simt::options().device.block_shared};
  return cudaSuccess;
}
template <class F>
cudaError_t cudaFuncSetAttribute(F, cudaFuncAttribute, int) {
  return cudaSuccess;
}

// ---- memory ----
using cudaMemPool_t = void*;
enum cudaMemPoolAttr {
  cudaMemPoolAttrReleaseThreshold,
  cudaMemPoolAttrReservedMemCurrent,
  cudaMemPoolAttrUsedMemCurrent
};
inline cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) { return *pool = nullptr, cudaSuccess; }
inline cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
inline cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) {
  return *static_cast<uint64_t*>(value) = 0, cudaSuccess;  // nothing is kept: free is free
}
inline cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return cudaSuccess; }
template <class T>
cudaError_t cudaMalloc(T** p, size_t bytes) {
  if (const cudaError_t e = simt_detail::now("cudaMalloc"); e != cudaSuccess) return e;
  *p = static_cast<T*>(simt::allocate(bytes));
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* p) {
  if (const cudaError_t e = simt_detail::now("cudaFree"); e != cudaSuccess) return e;
  if (p != nullptr) simt::release(p);
  return cudaSuccess;
}
template <class T>
cudaError_t cudaMallocAsync(T** p, size_t bytes, cudaStream_t) {
  if (bytes > simt::free_bytes()) return cudaErrorMemoryAllocation;
  *p = static_cast<T*>(simt::allocate_ordered(bytes));
  return cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* p, cudaStream_t) {
  simt::release_ordered(p);
  return cudaSuccess;
}
template <class T>
cudaError_t cudaMallocHost(T** p, size_t bytes) {
  if (const cudaError_t e = simt_detail::now("cudaMallocHost"); e != cudaSuccess) return e;
  *p = static_cast<T*>(std::malloc(bytes));
  return *p == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
inline cudaError_t cudaFreeHost(void* p) { return std::free(p), cudaSuccess; }
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  simt::enqueue([=] { std::memcpy(to, from, bytes); }, simt::Kind::copy);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t) {
  simt::enqueue([=] { std::memset(p, value, bytes); }, simt::Kind::copy);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (const cudaError_t e = simt_detail::now("cudaMemcpy"); e != cudaSuccess) return e;
  return cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}

// ---- streams and events ----
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
  static char streams[64];  // distinct, never dereferenced
  static int made = 0;
  *s = reinterpret_cast<cudaStream_t>(&streams[++made % 64]);
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return simt_detail::now("cudaStreamSynchronize"); }
inline cudaError_t cudaDeviceSynchronize() { return simt_detail::now("cudaDeviceSynchronize"); }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) { return *e = new CUevent_st, cudaSuccess; }
inline cudaError_t cudaEventCreate(cudaEvent_t* e) { return cudaEventCreateWithFlags(e, 0); }
inline cudaError_t cudaEventDestroy(cudaEvent_t e) { return delete e, cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t) {
  simt::enqueue([e] { e->at = std::chrono::steady_clock::now(); }, simt::Kind::event);
  return cudaSuccess;
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned = 0) { return cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return simt_detail::now("cudaEventSynchronize"); }
inline cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t a, cudaEvent_t b) {
  *ms = std::chrono::duration<float, std::milli>(b->at - a->at).count();
  return cudaSuccess;
}

// ---- graphs ----
inline cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  if (simt::capturing()) return cudaErrorInvalidValue;
  simt::begin_capture();
  return cudaSuccess;
}
inline cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
  *status = simt::capturing() ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = simt::end_capture();
  return *graph == nullptr ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  if (simt::free_bytes() == 0) return delete graph, cudaErrorMemoryAllocation;
  *exec = graph;  // the graph itself runs; the caller destroys both, so only one destroys
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
  for (const simt::Work& work : exec->work) simt::enqueue(work.run);
  return cudaSuccess;
}
inline cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  *count = 0;
  for (const simt::Work& work : graph->work) {
    if (work.kind == simt::Kind::check) continue;
    if (nodes != nullptr) nodes[*count] = &work;
    ++*count;
  }
  return cudaSuccess;
}
inline cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  switch (node->kind) {
    case simt::Kind::kernel:
      return *type = cudaGraphNodeTypeKernel, cudaSuccess;
    case simt::Kind::copy:
      return *type = cudaGraphNodeTypeMemcpy, cudaSuccess;
    case simt::Kind::allocation:
      return *type = cudaGraphNodeTypeMemAlloc, cudaSuccess;
    case simt::Kind::release:
      return *type = cudaGraphNodeTypeMemFree, cudaSuccess;
    default:
      return *type = cudaGraphNodeTypeEventRecord, cudaSuccess;
  }
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t) { return cudaSuccess; }
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return delete exec, cudaSuccess; }
