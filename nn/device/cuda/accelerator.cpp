// Accelerator over CUDA's runtime. The SIMT runner compiles the same file against its own runtime.
#include "nn/device/accelerator.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "kernels/cuda/core/range.cuh"
#include "kernels/cuda/core/status.cuh"

namespace kith {
namespace {

using kernels::cuda::cuda_check, kernels::cuda::throw_if_out_of_memory;

void memory_check(cudaError_t status, const char* what) {
  throw_if_out_of_memory(status, [what] { return what; });
  cuda_check(status);
}

// A graph keeps its nodes and their arguments on the device.
constexpr const char* kNoMemoryForGraph = "out of device memory: the graph of a captured step finds none";

std::string amount(size_t bytes) {
  const double mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1024 ? fmt::format("{:.2f} MiB", mib) : fmt::format("{:.2f} GiB", mib / 1024);
}

class CudaEvent final : public Event {
 public:
  CudaEvent(bool timed, cudaStream_t compute, cudaStream_t copy) : streams_{compute, copy} {
    // A thread that waits sleeps: it may be waiting for a whole step, and others need the core.
    cuda_check(cudaEventCreateWithFlags(&event_, timed ? 0 : cudaEventDisableTiming | cudaEventBlockingSync));
  }
  ~CudaEvent() override { cudaEventDestroy(event_); }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  void record(Lane lane) override { cuda_check(cudaEventRecord(event_, stream(lane))); }
  void hold(Lane lane) override { cuda_check(cudaStreamWaitEvent(stream(lane), event_, 0)); }
  void wait() override { cuda_check(cudaEventSynchronize(event_)); }
  bool done() const override {
    const cudaError_t status = cudaEventQuery(event_);
    if (status != cudaErrorNotReady) cuda_check(status);
    return status == cudaSuccess;
  }
  double ms_since(const Event& earlier) const override {
    float ms = 0;
    cuda_check(cudaEventElapsedTime(&ms, static_cast<const CudaEvent&>(earlier).event_, event_));
    return ms;
  }

 private:
  cudaStream_t stream(Lane lane) const { return streams_[lane == Lane::compute ? 0 : 1]; }
  cudaStream_t streams_[2];
  cudaEvent_t event_ = nullptr;
};

class CudaGraph final : public Graph {
 public:
  CudaGraph(cudaGraph_t graph, cudaStream_t stream) : graph_(graph), stream_(stream) {
    const cudaError_t status = cudaGraphInstantiate(&exec_, graph_, 0);
    if (status != cudaSuccess) cudaGraphDestroy(graph_);
    memory_check(status, kNoMemoryForGraph);
  }
  ~CudaGraph() override {
    cudaGraphExecDestroy(exec_);
    cudaGraphDestroy(graph_);
  }
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  void launch() override { memory_check(cudaGraphLaunch(exec_, stream_), kNoMemoryForGraph); }
  GraphNodes nodes() const override {
    size_t count = 0;
    cuda_check(cudaGraphGetNodes(graph_, nullptr, &count));
    std::vector<cudaGraphNode_t> all(count);
    if (count > 0) cuda_check(cudaGraphGetNodes(graph_, all.data(), &count));
    GraphNodes found;
    for (cudaGraphNode_t node : all) ++kind(found, node);
    return found;
  }

 private:
  static int64_t& kind(GraphNodes& nodes, cudaGraphNode_t node) {
    cudaGraphNodeType type;
    cuda_check(cudaGraphNodeGetType(node, &type));
    switch (type) {
      case cudaGraphNodeTypeKernel:
        return nodes.kernels;
      case cudaGraphNodeTypeMemcpy:
      case cudaGraphNodeTypeMemset:
        return nodes.copies;
      case cudaGraphNodeTypeMemAlloc:
      case cudaGraphNodeTypeMemFree:
        return nodes.allocations;
      default:
        return nodes.others;
    }
  }

  cudaGraph_t graph_;
  cudaStream_t stream_;
  cudaGraphExec_t exec_ = nullptr;
};

class CudaAccelerator final : public Accelerator {
 public:
  CudaAccelerator(int index, DeviceInfo info) : info_(std::move(info)) {
    cuda_check(cudaSetDevice(index));
    cuda_check(cudaStreamCreateWithFlags(&compute_, cudaStreamNonBlocking));
    cuda_check(cudaStreamCreateWithFlags(&copy_, cudaStreamNonBlocking));
    keep_pool(index);
    const size_t bytes = ticket_count() * sizeof(unsigned);
    memory_check(cudaMallocAsync(&tickets_, bytes, compute_), "out of device memory: nothing is left for a queue");
    cuda_check(cudaMemsetAsync(tickets_, 0, bytes, compute_));
  }
  ~CudaAccelerator() override {
    cudaFreeAsync(tickets_, compute_);
    cudaStreamSynchronize(compute_);
    cudaStreamSynchronize(copy_);
    cudaStreamDestroy(copy_);
    cudaStreamDestroy(compute_);
  }
  CudaAccelerator(const CudaAccelerator&) = delete;
  CudaAccelerator& operator=(const CudaAccelerator&) = delete;

  Device device() const override { return Device::cuda; }
  Queue queue() const override {
    return {.device = Device::cuda,
            .stream = compute_,
            .sm = info_.sm,
            .multiprocessors = info_.multiprocessors,
            .tickets = {tickets_, ticket_count()}};
  }
  DeviceInfo info() const override { return info_; }
  // Free memory of the driver, and released blocks that the process keeps.
  int64_t free_bytes() const override {
    size_t free = 0, total = 0;
    uint64_t kept = 0, used = 0;
    cuda_check(cudaMemGetInfo(&free, &total));
    cuda_check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &kept));
    cuda_check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used));
    return static_cast<int64_t>(free + (kept - used));
  }

  void* allocate(size_t bytes) override {
    outside_capture("allocated");
    void* block = nullptr;
    const cudaError_t status = cudaMallocAsync(&block, bytes, compute_);
    throw_if_out_of_memory(status, [&] {
      return fmt::format("out of device memory: {} more needed, {} of {} free on {}", amount(bytes),
                         amount(static_cast<size_t>(free_bytes())), amount(static_cast<size_t>(info_.memory_bytes)),
                         info_.name);
    });
    cuda_check(status);
    return block;
  }
  void release(void* block) noexcept override { cudaFreeAsync(block, compute_); }
  void upload(void* to, const void* from, size_t bytes) override {
    outside_capture("uploaded");
    if (bytes > 0) cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, compute_));
    sync();  // `from` may change: what is page-locked, or all memory where the device reads the host's, is read in place
  }
  void download(void* to, const void* from, size_t bytes) override {
    outside_capture("downloaded");
    if (bytes > 0) cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, compute_));
    sync();
  }
  void copy(void* to, const void* from, size_t bytes) override {
    if (bytes > 0) cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, compute_));
  }
  void zero(void* block, size_t bytes) override {
    if (bytes > 0) cuda_check(cudaMemsetAsync(block, 0, bytes, compute_));
  }
  void sync() override {
    outside_capture("waited for");
    cuda_check(cudaStreamSynchronize(compute_));
  }

  void copy_async(Lane lane, void* to, const void* from, size_t bytes) override {
    cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, lane == Lane::compute ? compute_ : copy_));
  }
  std::shared_ptr<std::byte> host_block(size_t bytes) override {
    std::byte* block = nullptr;
    memory_check(cudaMallocHost(&block, bytes), "out of page-locked memory on the host");
    return {block, [](std::byte* p) { cudaFreeHost(p); }};
  }
  std::unique_ptr<Event> event(bool timed) override { return std::make_unique<CudaEvent>(timed, compute_, copy_); }

  void begin_capture() override {
    cuda_check(cudaStreamBeginCapture(compute_, cudaStreamCaptureModeThreadLocal));
    capturing_ = true;
  }
  std::unique_ptr<Graph> end_capture() override {
    capturing_ = false;
    cudaGraph_t graph = nullptr;
    cuda_check(cudaStreamEndCapture(compute_, &graph));
    return std::make_unique<CudaGraph>(graph, compute_);
  }
  void abandon_capture() noexcept override {
    capturing_ = false;
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(compute_, &graph) == cudaSuccess && graph != nullptr) cudaGraphDestroy(graph);
    static_cast<void>(cudaGetLastError());
  }
  bool capturing() const override { return capturing_; }

  void begin_range(const char* name) override { kernels::cuda::begin_range(name); }
  void end_range() noexcept override { kernels::cuda::end_range(); }

 private:
  // As many as blocks that fill the device twice: launches that share their work among fewer want one for each.
  size_t ticket_count() const { return static_cast<size_t>(2 * info_.multiprocessors); }
  void outside_capture(const char* what) const {
    check(!capturing_, fmt::format("device memory {} while a step is captured", what));
  }
  // Blocks that kernels free stay with the process: without this every wait gives them back to the driver.
  void keep_pool(int index) {
    cuda_check(cudaDeviceGetDefaultMemPool(&pool_, index));
    uint64_t all = ~uint64_t{0};
    cuda_check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &all));
  }
  // Released blocks go back to the driver, which can serve a large block from many small ones.
  void compact() override {
    sync();
    cuda_check(cudaMemPoolTrimTo(pool_, 0));
  }

  DeviceInfo info_;
  cudaStream_t compute_ = nullptr, copy_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  unsigned* tickets_ = nullptr;  // of the queue
  bool capturing_ = false;
};

}  // namespace

DeviceList list_devices() {
  DeviceList list{.built = true, .driver = 0, .runtime = 0, .devices = {}};
  cuda_check(cudaRuntimeGetVersion(&list.runtime));
  int count = 0;
  if (cudaDriverGetVersion(&list.driver) != cudaSuccess || list.driver == 0) return list;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {  // too old a driver, or no card: the version says which
    static_cast<void>(cudaGetLastError());
    return list;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp p;
    cuda_check(cudaGetDeviceProperties(&p, i));
    list.devices.push_back({.name = p.name,
                            .sm = p.major * 10 + p.minor,
                            .multiprocessors = p.multiProcessorCount,
                            .memory_bytes = static_cast<int64_t>(p.totalGlobalMem)});
  }
  return list;
}

std::unique_ptr<Accelerator> open_accelerator(int index) {
  const DeviceList list = list_devices();
  check(index >= 0 && index < static_cast<int>(list.devices.size()),
        fmt::format("CUDA device {}: this machine has {}", index, list.devices.size()));
  return std::make_unique<CudaAccelerator>(index, list.devices[static_cast<size_t>(index)]);
}

}  // namespace kith
