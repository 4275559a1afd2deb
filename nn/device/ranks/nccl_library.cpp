#include "nn/device/ranks/nccl_library.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith {
namespace {

std::string version_text(int number) {
  return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

}  // namespace

Nccl::Nccl(const std::string& file, const std::vector<std::filesystem::path>& folders)
    : library(file, folders),
      get_version(library.symbol<decltype(get_version)>("ncclGetVersion")),
      get_unique_id(library.symbol<decltype(get_unique_id)>("ncclGetUniqueId")),
      comm_init_rank(library.symbol<decltype(comm_init_rank)>("ncclCommInitRank")),
      comm_destroy(library.symbol<decltype(comm_destroy)>("ncclCommDestroy")),
      comm_abort(library.symbol<decltype(comm_abort)>("ncclCommAbort")),
      get_error_string(library.symbol<decltype(get_error_string)>("ncclGetErrorString")),
      get_last_error(library.symbol<decltype(get_last_error)>("ncclGetLastError")),
      group_start(library.symbol<decltype(group_start)>("ncclGroupStart")),
      group_end(library.symbol<decltype(group_end)>("ncclGroupEnd")),
      send(library.symbol<decltype(send)>("ncclSend")),
      receive(library.symbol<decltype(receive)>("ncclRecv")),
      broadcast(library.symbol<decltype(broadcast)>("ncclBroadcast")) {}

std::string Nccl::version() const {
  int number = 0;
  expect(get_version(&number), "ncclGetVersion");
  return version_text(number);
}

void Nccl::expect(int status, const std::string& what, ncclComm* comm) const {
  if (status == 0) return;
  int number = 0;
  get_version(&number);
  const char* detail = get_last_error(comm);
  const bool more = detail != nullptr && *detail != '\0';
  throw Error(fmt::format("{}: NCCL {}: {}{}{}", what, version_text(number), get_error_string(status), more ? ", " : "",
                          more ? detail : ""));
}

const Nccl& nccl() {
  static const Nccl library("libnccl.so.2", cuda_library_folders());  // a loaded library belongs to the process
  return library;
}

}  // namespace kith
