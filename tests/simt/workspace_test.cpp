// The workspace that captured graphs and later calls share, over the runner's streams.
#include "nn/device/cudnn/workspace.h"

#include <gtest/gtest.h>

#include "kernels/core/check.h"
#include "tests/simt/runner/block.h"

namespace kith {
namespace {

class WorkspaceTest : public testing::Test {
 protected:
  WorkspaceTest() { cuda_status(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "stream"); }
  template <class F>
  cudaGraphExec_t capture(F work) {
    cuda_status(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "capture");
    work();
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t exec = nullptr;
    cuda_status(cudaStreamEndCapture(stream_, &graph), "capture");
    cuda_status(cudaGraphInstantiate(&exec, graph, 0), "graph");
    return exec;
  }
  cudaStream_t stream_ = nullptr;
};

TEST_F(WorkspaceTest, GrowsAndIsKept) {
  Workspace w(stream_);
  EXPECT_EQ(w.bytes(), 0);
  void* small = w.reserve(100);
  EXPECT_EQ(w.reserve(50), small);
  EXPECT_EQ(w.bytes(), 100);
  cudaMemsetAsync(w.reserve(5000), 1, 5000, stream_);
  EXPECT_EQ(w.bytes(), 5000);
  EXPECT_FALSE(simt::registered(reinterpret_cast<uintptr_t>(small), 100));
}

TEST_F(WorkspaceTest, DoesNotGrowDuringCapture) {
  Workspace w(stream_);
  w.reserve(100);
  EXPECT_FALSE(w.capturing());
  std::string line;
  cudaGraphExec_t graph = capture([&] {
    EXPECT_TRUE(w.capturing());
    EXPECT_NO_THROW(w.reserve(100));
    try {
      w.reserve(101);
    } catch (const Error& e) {
      line = e.what();
    }
  });
  cudaGraphExecDestroy(graph);
  EXPECT_NE(line.find("run the step once before capturing it"), std::string::npos) << line;
  EXPECT_EQ(w.bytes(), 100);
}

// A graph keeps the address it was captured with: that memory must stay after the workspace has moved on.
TEST_F(WorkspaceTest, MemoryThatAGraphKnowsStays) {
  Workspace w(stream_);
  void* known = w.reserve(100);
  cudaGraphExec_t graph = capture([&] { cudaMemsetAsync(w.reserve(100), 7, 100, stream_); });
  void* grown = w.reserve(1000);
  EXPECT_NE(grown, known);
  EXPECT_TRUE(simt::registered(reinterpret_cast<uintptr_t>(known), 100));
  std::vector<unsigned char> host(100);
  cudaMemsetAsync(known, 0, 100, stream_);
  cudaGraphLaunch(graph, stream_);
  cudaMemcpy(host.data(), known, 100, cudaMemcpyDeviceToHost);
  EXPECT_EQ(host, std::vector<unsigned char>(100, 7));
  cudaGraphExecDestroy(graph);
}

}  // namespace
}  // namespace kith
