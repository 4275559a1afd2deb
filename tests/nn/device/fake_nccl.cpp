// A stand-in for libnccl.so.2 whose ranks are threads of one process and whose device is the host: what
// nn/device/ranks/nccl_ranks.h asks of NCCL, with its rules. Sends and receives of one group go together; a receive takes the bytes
// of the send that it meets, or fails where their numbers differ.
#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

enum Status : int { success = 0, unhandled_cuda_error = 1, invalid_argument = 4 };
using Id = std::array<char, 128>;

struct Group {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::pair<int, int>, std::deque<std::vector<std::byte>>> on_the_way;  // from, to
};
std::mutex groups_mutex;
std::map<std::string, std::shared_ptr<Group>> groups;
thread_local std::string last_error;
thread_local int depth = 0;
thread_local std::vector<std::function<void()>> sends;
thread_local std::vector<std::function<int()>> receives;

size_t size_of(int type) { return type == 7 ? 4 : 1; }

}  // namespace

// Of the memory that is sent from and received to: another's, where the host cannot touch a device's.
extern "C" void (*kith_fake_nccl_copy)(void* to, const void* from, size_t bytes);
void (*kith_fake_nccl_copy)(void* to, const void* from, size_t bytes) = [](void* to, const void* from, size_t bytes) {
  std::memcpy(to, from, bytes);
};

struct ncclComm {
  std::shared_ptr<Group> group;
  int rank = 0, size = 1;

  void put(int to, const void* data, size_t bytes) const {
    std::vector<std::byte> message(bytes);
    kith_fake_nccl_copy(message.data(), data, bytes);
    const std::lock_guard lock(group->mutex);
    group->on_the_way[{rank, to}].push_back(std::move(message));
    group->changed.notify_all();
  }
  int take(int from, void* data, size_t bytes) const {
    std::unique_lock lock(group->mutex);
    auto& waiting = group->on_the_way[{from, rank}];
    group->changed.wait(lock, [&] { return !waiting.empty(); });
    const std::vector<std::byte> message = std::move(waiting.front());
    waiting.pop_front();
    if (message.size() != bytes) {
      last_error = "a receive of " + std::to_string(bytes) + " bytes meets a send of " + std::to_string(message.size());
      return invalid_argument;
    }
    kith_fake_nccl_copy(data, message.data(), bytes);
    return success;
  }
};

extern "C" {

int ncclGetVersion(int* version) { return *version = 22903, success; }
int ncclGetUniqueId(Id* id) {
  static int made = 0;
  const std::lock_guard lock(groups_mutex);
  const std::string name = "group " + std::to_string(++made);
  id->fill(0);
  std::memcpy(id->data(), name.data(), name.size());
  groups[name] = std::make_shared<Group>();
  return success;
}
int ncclCommInitRank(ncclComm** comm, int size, Id id, int rank) {
  if (const char* why = std::getenv("KITH_FAKE_NCCL_ERROR")) return last_error = why, unhandled_cuda_error;
  const std::lock_guard lock(groups_mutex);
  const auto found = groups.find(id.data());
  if (found == groups.end() || rank < 0 || rank >= size) return last_error = "no such group", invalid_argument;
  *comm = new ncclComm{found->second, rank, size};
  return success;
}
int ncclCommDestroy(ncclComm* comm) { return delete comm, success; }
int ncclCommAbort(ncclComm* comm) { return delete comm, success; }
const char* ncclGetErrorString(int status) {
  return status == unhandled_cuda_error ? "unhandled cuda error" : "invalid argument";
}
const char* ncclGetLastError(ncclComm*) { return last_error.c_str(); }

int ncclGroupStart() { return ++depth, success; }
int ncclGroupEnd() {
  if (--depth > 0) return success;
  for (const auto& send : std::exchange(sends, {})) send();
  int worst = success;
  for (const auto& receive : std::exchange(receives, {}))
    if (const int status = receive(); status != success) worst = status;
  return worst;
}
int ncclSend(const void* data, size_t count, int type, int to, ncclComm* comm, void*) {
  if (to < 0 || to >= comm->size || to == comm->rank) return last_error = "no such rank", invalid_argument;
  ncclGroupStart();
  sends.emplace_back([=] { comm->put(to, data, count * size_of(type)); });
  return ncclGroupEnd();
}
int ncclRecv(void* data, size_t count, int type, int from, ncclComm* comm, void*) {
  if (from < 0 || from >= comm->size || from == comm->rank) return last_error = "no such rank", invalid_argument;
  ncclGroupStart();
  receives.emplace_back([=] { return comm->take(from, data, count * size_of(type)); });
  return ncclGroupEnd();
}
int ncclBroadcast(const void* from, void* to, size_t count, int type, int root, ncclComm* comm, void*) {
  if (comm->rank != root) return comm->take(root, to, count * size_of(type));
  for (int r = 0; r < comm->size; ++r)
    if (r != root) comm->put(r, from, count * size_of(type));
  return success;
}

}  // extern "C"
