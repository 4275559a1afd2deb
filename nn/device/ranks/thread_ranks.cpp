// Ranks that are threads of one process: each posts where its numbers stand, and reads what the others have posted.
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "kernels/core/check.h"
#include "nn/device/ranks/host_collective.h"

namespace kith {
namespace {

// Where all meet. Threads that wait sleep; they are woken too when a rank is gone.
class Meeting {
 public:
  explicit Meeting(int size) : posted(static_cast<size_t>(size)), size_(size) {}

  void wait(const char* call) {
    std::unique_lock lock(mutex_);
    if (gone_ < 0 && ++arrived_ == size_) {
      arrived_ = 0;
      ++round_;
      changed_.notify_all();
      return;
    }
    const int64_t round = round_;
    changed_.wait(lock, [&] { return round_ != round || gone_ >= 0; });
    if (round_ == round) throw Error(fmt::format("{}: rank {} is gone", call, gone_));
  }
  void leave(int rank) {
    const std::lock_guard lock(mutex_);
    if (gone_ < 0) gone_ = rank;
    changed_.notify_all();
  }

  std::vector<const std::byte*> posted;  // by each rank, from one wait to the next

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int size_, arrived_ = 0, gone_ = -1;
  int64_t round_ = 0;
};

class ThreadRank final : public HostCollective {
 public:
  ThreadRank(std::shared_ptr<Meeting> meeting, int rank, int size, size_t most_bytes)
      : HostCollective(most_bytes), meeting_(std::move(meeting)), rank_(rank), size_(size) {}
  ~ThreadRank() override { meeting_->leave(rank_); }
  std::string engine() const override { return "threads"; }

 private:
  int place() const override { return rank_; }
  int places() const override { return size_; }
  void meet() override { meeting_->wait("barrier"); }
  void exchange(std::span<const float> from, std::span<const int64_t> bounds, std::span<float> to) override {
    const std::span<const std::byte> bytes = std::as_bytes(from);
    const auto begin = static_cast<size_t>(bounds[static_cast<size_t>(rank_)]) * sizeof(float);
    const size_t own = to.size_bytes() / static_cast<size_t>(size_);
    among_all("all_reduce", bytes.data(), [&](size_t r, const std::byte* other) {
      std::copy_n(other + begin, own, std::as_writable_bytes(to).data() + r * own);
    });
  }

  void gather_parts(std::span<std::byte> all, std::span<const int64_t> bounds) override {
    among_all("all_gather", all.data(), [&](size_t r, const std::byte* other) {
      if (r != static_cast<size_t>(rank_)) std::copy(other + bounds[r], other + bounds[r + 1], all.data() + bounds[r]);
    });
  }

  void send_from(std::span<std::byte> x, int root) override {
    among_all("broadcast", x.data(), [&](size_t r, const std::byte* other) {
      if (static_cast<int>(r) == root && root != rank_) std::copy_n(other, x.size(), x.data());
    });
  }

  template <class Read>  // read(rank, where that rank's numbers stand), in the order of the ranks
  void among_all(const char* call, const std::byte* own, const Read& read) {
    meeting_->posted[static_cast<size_t>(rank_)] = own;
    meeting_->wait(call);
    for (size_t r = 0; r < static_cast<size_t>(size_); ++r) read(r, meeting_->posted[r]);
    meeting_->wait(call);  // all have read
  }

  std::shared_ptr<Meeting> meeting_;
  int rank_, size_;
};

}  // namespace

std::vector<std::shared_ptr<Collective>> thread_ranks(int count, size_t most_bytes) {
  check(count >= 1, "thread_ranks: at least one");
  const auto meeting = std::make_shared<Meeting>(count);
  std::vector<std::shared_ptr<Collective>> ranks;
  for (int r = 0; r < count; ++r) ranks.push_back(std::make_shared<ThreadRank>(meeting, r, count, most_bytes));
  return ranks;
}

}  // namespace kith
