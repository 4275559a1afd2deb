// ImageStream: the images of batches to come, gathered by a thread of its own into page-locked memory and copied to the
// device beside the step that runs (nn/device/staging.h hands the slots over). For a split that does not lie on the device.
//
// The thread that enqueues steps waits in next() where the batch is not gathered yet, outside of the step, and nowhere for
// the device; the gathering thread waits for copies. One thread moves several GB/s: a batch of 1024 images of 32 x 32 takes
// it less than a millisecond.
#pragma once
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>

#include "nn/device/staging.h"
#include "scan/input/image_source.h"

namespace kith {

class ImageStream {
 public:
  ImageStream(const ImageSource&, int64_t rows);  // images of a batch, at most; keeps a reference

  // The samples of a batch, asked for by the gathering thread; they stay as they are until the batch was next.
  using Lists = std::function<std::span<const int64_t>(int64_t batch)>;
  // Batches first .. end - 1 are next, after all earlier ones were.
  void begin(int64_t first, int64_t end, Lists);
  // The images of the next batch, in its order, for work that is enqueued from now on; then used().
  const uint8_t* next();
  void used();

  // Batch n will be at data() + offset(n).
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(staging_.data()); }
  int64_t offset(int64_t n) const { return staging_.offset(n); }

 private:
  void gather_all(const std::stop_token&);
  void gather(int64_t n);

  const data::Images& images_;
  int64_t image_bytes_, rows_;
  Staging staging_;
  int64_t next_ = 0;  // the thread of next() only

  std::mutex mutex_;
  std::condition_variable_any changed_;
  Lists samples_of_;
  int64_t gathered_ = 0, allowed_ = 0,
          end_ = 0;  // the first batch that is not gathered, not to be gathered yet, not there
  std::exception_ptr failure_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace kith
