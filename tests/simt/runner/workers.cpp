#include "tests/simt/runner/workers.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace simt {
namespace {

class Workers {
 public:
  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
  }

  void run(unsigned count, const std::function<void()>& work) {
    {
      const std::lock_guard lock(mutex_);
      while (threads_.size() + 1 < count) threads_.emplace_back([this] { serve(); });
      work_ = &work;
      wanted_ = running_ = count - 1;
    }
    wake_.notify_all();
    work();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return closing_ || wanted_ > 0; });
      if (closing_) return;
      --wanted_;
      const std::function<void()>& work = *work_;
      lock.unlock();
      work();
      lock.lock();
      if (--running_ == 0) done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void()>* work_ = nullptr;
  unsigned wanted_ = 0, running_ = 0;
  bool closing_ = false;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

}  // namespace

void on_workers(unsigned count, const std::function<void()>& work) {
  static Workers workers;
  workers.run(count, work);
}

}  // namespace simt
