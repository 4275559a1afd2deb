#include "nn/device/cudnn/conv_plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

#include "kernels/core/check.h"
#include "nn/device/plans/plan_search.h"

namespace kith {
namespace {

constexpr int kTimed = 5;  // runs of each, the fastest counts

// "580.65.06", or the CUDA version it serves where the kernel module's own is not told (in some containers).
std::string driver_version() {
  std::ifstream in("/proc/driver/nvidia/version");
  std::string line;
  std::getline(in, line);
  std::istringstream words(line);
  for (std::string word; words >> word;)
    if (std::count(word.begin(), word.end(), '.') >= 1 && word.find_first_not_of("0123456789.") == std::string::npos)
      return word;
  int cuda = 0;
  cuda_status(cudaDriverGetVersion(&cuda), "driver version");
  return fmt::format("CUDA {}.{}", cuda / 1000, cuda % 1000 / 10);
}

PlanIdentity identity() {
  int device = 0;
  cudaDeviceProp properties;
  cuda_status(cudaGetDevice(&device), "current device");
  cuda_status(cudaGetDeviceProperties(&properties, device), "properties of the device");
  return {.device = properties.name, .driver = driver_version(), .library = "cuDNN " + cudnn_version()};
}

class Event {
 public:
  Event() { cuda_status(cudaEventCreate(&get_), "event"); }
  ~Event() { cudaEventDestroy(get_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t stream) { cuda_status(cudaEventRecord(get_, stream), "event"); }
  double microseconds_since(const Event& start) const {
    cuda_status(cudaEventSynchronize(get_), "event");
    float ms = 0;
    cuda_status(cudaEventElapsedTime(&ms, start.get_, get_), "event");
    return 1000.0 * ms;
  }

 private:
  cudaEvent_t get_ = nullptr;
};

int64_t out_bytes(const ConvPlanKey& k) {
  const ConvShape& s = k.shape;
  const int64_t count = k.pass == Pass::forward         ? s.images * s.out_height() * s.out_width() * s.out
                        : k.pass == Pass::backward_data ? s.images * s.height * s.width * s.in
                                                        : s.out * s.kernel * s.kernel * s.in;
  return count * static_cast<int64_t>(size_of(k.dtype));
}

// Memory for the duration of a search.
class Trial {
 public:
  Trial(int64_t bytes, cudaStream_t stream) : stream_(stream) {
    if (bytes > 0)
      cuda_status(cudaMallocAsync(&data_, static_cast<size_t>(bytes), stream),
                  fmt::format("{} MiB to try a plan in", bytes >> 20));
  }
  ~Trial() {
    if (data_ != nullptr) cudaFreeAsync(data_, stream_);
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  void* data() const { return data_; }

 private:
  cudaStream_t stream_;
  void* data_ = nullptr;
};

}  // namespace

ConvPlans::ConvPlans(cudaStream_t stream, const MathOptions& options)
    : stream_(stream), options_(options), store_(identity(), options.plan_folder) {
  cudnn_check(cudnn().create(&handle_), "cuDNN on this device");
  cudnn_check(cudnn().set_stream(handle_, stream), "cuDNN's stream");
}

ConvPlans::~ConvPlans() {
  plans_.clear();  // before the handle that they were made with
  cudnn().destroy(handle_);
}

void ConvPlans::run(const ConvPlanKey& key, const ConvOperands& operands, Workspace& workspace) {
  const auto it = plans_.find(key);
  if (it == plans_.end())
    check(!workspace.capturing(),
          to_string(key) + ": has no plan, and a graph is being captured: run the step once before");
  const ConvPlan& plan = it != plans_.end() ? it->second : make(key, operands);
  plan.run(handle_, operands, workspace.reserve(plan.choice().workspace));
}

const ConvPlan& ConvPlans::make(const ConvPlanKey& key, const ConvOperands& operands) {
  const ConvGraph graph(key, {.handle = handle_});
  if (const PlanChoice* known = store_.find(key); known != nullptr) {
    try {
      ConvPlan plan = graph.plan(*known);
      if (plan.choice().workspace <= options_.workspace_limit)
        return plans_.emplace(key, std::move(plan)).first->second;
    } catch (const Error&) {  // the file is not what it says; the search replaces its entry
    }
  }
  const PlanChoice best = search(graph, key, operands);
  store_.put(key, best);
  return plans_.emplace(key, graph.plan(best)).first->second;
}

PlanChoice ConvPlans::search(const ConvGraph& graph, const ConvPlanKey& key, ConvOperands operands) {
  std::optional<Trial> sum;  // trials must not add to the caller's
  if (key.write == Write::add) operands.out = sum.emplace(out_bytes(key), stream_).data();
  const PlanChoice best = fastest(key, graph.candidates(), [&](const PlanChoice& candidate) {
    const ConvPlan plan = graph.plan(candidate);
    PlanChoice choice = plan.choice();
    check(choice.workspace <= options_.workspace_limit,
          fmt::format("{} MiB of workspace are needed, {} allowed: use a smaller batch", choice.workspace >> 20,
                      options_.workspace_limit >> 20));
    const Trial workspace(choice.workspace, stream_);
    choice.microseconds = time(plan, operands, workspace.data());
    return choice;
  });
  static_cast<void>(cudaGetLastError());  // of engines that could not be launched; it must not meet the next launch
  cuda_status(cudaStreamSynchronize(stream_), to_string(key));
  return best;
}

double ConvPlans::time(const ConvPlan& plan, const ConvOperands& operands, void* workspace) {
  plan.run(handle_, operands, workspace);  // loads the kernel
  Event start, stop;
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kTimed; ++i) {
    start.record(stream_);
    plan.run(handle_, operands, workspace);
    stop.record(stream_);
    best = std::min(best, stop.microseconds_since(start));
  }
  return best;
}

}  // namespace kith
