#include "nn/device/ranks/mpi_ranks.h"

#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <thread>

#include "kernels/core/check.h"
#include "nn/device/ranks/host_collective.h"

namespace kith {
namespace {

void mpi_check(int status, const char* call) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(status, text, &length);
  throw Error(fmt::format("{}: {}", call, text));
}

// MPI's own waits turn in a loop for as long as it takes. This one gives way to others from the first turn on, which is as fast
// where processors are free, and sleeps once it has waited for longer than a rank of equal work is late.
void wait(MPI_Request request, const char* call) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kAwake = std::chrono::milliseconds(5);
  constexpr auto kNap = std::chrono::microseconds(100);
  const Clock::time_point begin = Clock::now();
  int done = 0;
  while (true) {
    mpi_check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), call);
    if (done != 0) return;
    if (Clock::now() - begin < kAwake)
      sched_yield();
    else
      std::this_thread::sleep_for(kNap);
  }
}

class MpiRank final : public HostCollective {
 public:
  explicit MpiRank(size_t most_bytes) : HostCollective(std::min(most_bytes, size_t{INT_MAX})) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  }
  ~MpiRank() override { MPI_Finalize(); }
  std::string engine() const override { return mpi_version(); }

 private:
  int place() const override { return rank_; }
  int places() const override { return size_; }
  void meet() override {
    MPI_Request request;
    mpi_check(MPI_Ibarrier(MPI_COMM_WORLD, &request), "barrier");
    wait(request, "barrier");
  }

  struct Layout {
    std::vector<int> counts, starts;
  };
  Layout layout(std::span<const int64_t> bounds) const {
    Layout l;
    for (size_t r = 0; r < static_cast<size_t>(size_); ++r) {
      l.starts.push_back(static_cast<int>(bounds[r]));
      l.counts.push_back(static_cast<int>(bounds[r + 1] - bounds[r]));
    }
    return l;
  }

  void exchange(std::span<const float> from, std::span<const int64_t> bounds, std::span<float> to) override {
    const Layout out = layout(bounds), in = layout(share_bounds(static_cast<int64_t>(to.size()), size_));
    MPI_Request request;
    mpi_check(MPI_Ialltoallv(from.data(), out.counts.data(), out.starts.data(), MPI_FLOAT, to.data(), in.counts.data(),
                             in.starts.data(), MPI_FLOAT, MPI_COMM_WORLD, &request),
              "all_reduce");
    wait(request, "all_reduce");
  }

  void gather_parts(std::span<std::byte> all, std::span<const int64_t> bounds) override {
    const Layout l = layout(bounds);
    MPI_Request request;
    mpi_check(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_BYTE, all.data(), l.counts.data(), l.starts.data(), MPI_BYTE,
                              MPI_COMM_WORLD, &request),
              "all_gather");
    wait(request, "all_gather");
  }

  void send_from(std::span<std::byte> x, int root) override {
    MPI_Request request;
    mpi_check(MPI_Ibcast(x.data(), static_cast<int>(x.size()), MPI_BYTE, root, MPI_COMM_WORLD, &request), "broadcast");
    wait(request, "broadcast");
  }

  int rank_ = 0, size_ = 1;
};

}  // namespace

// "Open MPI v4.1.4, package: ..." and "MPICH Version:      4.0.2\nMPICH Release date: ..." begin with name and number.
std::string mpi_version() {
  char buffer[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(buffer, &length);
  const std::string text(buffer, static_cast<size_t>(length));
  const size_t digit = text.find_first_of("0123456789");
  if (digit == std::string::npos) return text;
  const std::string number = text.substr(digit, text.find_first_not_of("0123456789.", digit) - digit);
  return fmt::format("{} {}", text.starts_with("Open MPI") ? "Open MPI" : text.substr(0, text.find(' ')), number);
}

std::string mpi_launcher() { return KITH_MPIEXEC; }

std::shared_ptr<Collective> mpi_ranks(size_t most_bytes) {
  int provided = 0;
  mpi_check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  auto ranks = std::make_shared<MpiRank>(most_bytes);
  if (const auto announced = announced_ranks(); announced && announced->size != ranks->size())
    throw Error(
        fmt::format("the launcher started {} ranks ({}), {} finds {}: the launcher belongs to another MPI; use {}",
                    announced->size, announced->variable, mpi_version(), ranks->size(), mpi_launcher()));
  return ranks;
}

void abort_ranks(int status) {
  int begun = 0, ended = 0;
  MPI_Initialized(&begun);
  MPI_Finalized(&ended);
  if (begun != 0 && ended == 0) MPI_Abort(MPI_COMM_WORLD, status);
}

}  // namespace kith
