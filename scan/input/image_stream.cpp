#include "scan/input/image_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kernels/core/check.h"
#include "nn/tensor/buffer.h"

namespace kith {
namespace {

Staging make_staging(Context& ctx, int64_t bytes) {
  check(!ctx.on_cpu(), "ImageStream: on the CPU images are where they are");
  const int64_t slot = Staging::slot_bytes(bytes);
  return {*ctx.accelerator(), ctx.block(static_cast<size_t>(Staging::kSlots * slot)), slot};
}

}  // namespace

ImageStream::ImageStream(const ImageSource& source, int64_t rows)
    : images_(source.images()),
      image_bytes_(images_.image_bytes()),
      rows_(rows),
      staging_(make_staging(source.context(), rows * image_bytes_)),
      thread_([this](const std::stop_token& stop) { gather_all(stop); }) {}

void ImageStream::begin(int64_t first, int64_t end, Lists samples_of) {
  const std::lock_guard lock(mutex_);
  check(next_ == end_, "ImageStream: batches begin while earlier ones are left");
  samples_of_ = std::move(samples_of);
  next_ = gathered_ = first;
  allowed_ = first + Staging::kSlots;
  end_ = end;
  changed_.notify_all();
}

const uint8_t* ImageStream::next() {
  {
    std::unique_lock lock(mutex_);
    check(next_ < end_, "ImageStream: no batch is left");
    changed_.wait(lock, [&] { return gathered_ > next_ || failure_; });
    if (gathered_ <= next_) std::rethrow_exception(failure_);
  }
  staging_.bring(next_, static_cast<int64_t>(samples_of_(next_).size()) * image_bytes_);
  const std::lock_guard lock(mutex_);
  allowed_ = next_ + 1 + Staging::kSlots;
  changed_.notify_all();
  return data() + offset(next_);
}

void ImageStream::used() { staging_.used(next_++); }

void ImageStream::gather_all(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return !failure_ && gathered_ < std::min(allowed_, end_); })) {
    const int64_t n = gathered_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      gather(n);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure)
      failure_ = failure;
    else
      ++gathered_;
    changed_.notify_all();
  }
}

void ImageStream::gather(int64_t n) {
  const std::span<const int64_t> samples = samples_of_(n);
  check(static_cast<int64_t>(samples.size()) <= rows_, "ImageStream: a batch of more images than a slot holds");
  std::byte* to = staging_.fill(n);
  for (const int64_t sample : samples) {
    check(sample >= 0 && sample < images_.count,
          fmt::format("image {} wanted, but there are {}", sample, images_.count));
    std::memcpy(to, images_.pixels.data() + sample * image_bytes_, static_cast<size_t>(image_bytes_));
    to += image_bytes_;
  }
}

}  // namespace kith
