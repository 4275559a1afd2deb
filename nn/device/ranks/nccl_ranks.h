// Ranks that have a GPU each, by NCCL: an engine of Collective for arrays in the memory of CUDA devices. What lies in the host's
// memory, barriers and decisions go by `host`, an engine of the same ranks on the CPU, which also hands NCCL's id round.
//
// Sums are in the order of the ranks (collective.h). NCCL's own depend on its choice of algorithm, protocol and channels, and so
// on version, length and what links there are. Here each rank is sent its part by every other (ncclSend, ncclRecv in one group),
// adds the parts in order on its device, and sends the sum to all. A rank sends as many bytes as in a ring.
//
// All calls are enqueued on the queue's stream, and may be captured in a graph once each kind has run (NCCL connects two ranks at
// their first exchange). Scratch, as many numbers as are summed, is the queue's, or of `room` where the queue lends none.
#pragma once
#include <memory>

#include "nn/device/ranks/collective.h"
#include "nn/device/ranks/nccl_library.h"

namespace kith {

class NcclRanks final : public Collective {
 public:
  // `device`: whose memory NCCL moves; tests with a stand-in for NCCL say the CPU's.
  NcclRanks(std::shared_ptr<Collective> host, const Nccl&, Device device = Device::cuda);
  // After an Error operations may never end: they are abandoned then.
  ~NcclRanks() override;
  NcclRanks(const NcclRanks&) = delete;
  NcclRanks& operator=(const NcclRanks&) = delete;

  // By every rank, on the thread whose current device is its own, before the first array of a device. Error: NCCL's, such as two
  // ranks on one device.
  void connect(std::shared_ptr<ScratchAllocator> room = nullptr);  // null: arrays are the host's
  std::string engine() const override;                             // "Open MPI 4.1.4, NCCL 2.32.3"

 private:
  int place() const override { return host_->rank(); }
  int places() const override { return host_->size(); }
  void meet() override { host_->barrier(); }
  void reduce(std::span<float> x, Queue) override;
  void gather(std::span<std::byte> all, std::span<const int64_t> bounds, Queue) override;
  void send(std::span<std::byte> x, int root, Queue) override;

  bool is_hosts(Queue queue) const { return queue.device != device_; }
  void expect_connected(const char* call) const;
  void sum_parts(std::span<float> own, float* parts, Queue) const;

  std::shared_ptr<Collective> host_;
  const Nccl& nccl_;
  Device device_;
  std::shared_ptr<ScratchAllocator> room_;
  ncclComm* comm_ = nullptr;
};

}  // namespace kith
