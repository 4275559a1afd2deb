// NCCL, loaded when it is first used (nn/device/shared_library.h). Its few functions are declared here by their C interface,
// which has not changed within version 2, so that no build needs its header: statuses, types and handles are the numbers and
// pointers that they are.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "nn/device/shared_library.h"

struct CUstream_st;
struct ncclComm;

namespace kith {

struct NcclId {  // names a group of ranks; made by one of them, handed to the others by other means
  char bytes[128];
};
enum class NcclType : int { byte = 0, f32 = 7 };  // ncclInt8, ncclFloat32

struct Nccl {
  Nccl(const std::string& file, const std::vector<std::filesystem::path>& folders);
  SharedLibrary library;
  int (*get_version)(int*);
  int (*get_unique_id)(NcclId*);
  int (*comm_init_rank)(ncclComm**, int ranks, NcclId, int rank);
  int (*comm_destroy)(ncclComm*);
  int (*comm_abort)(ncclComm*);
  const char* (*get_error_string)(int status);
  const char* (*get_last_error)(ncclComm*);
  int (*group_start)();
  int (*group_end)();
  int (*send)(const void*, size_t count, NcclType, int to, ncclComm*, CUstream_st*);
  int (*receive)(void*, size_t count, NcclType, int from, ncclComm*, CUstream_st*);
  int (*broadcast)(const void* from, void* to, size_t count, NcclType, int root, ncclComm*, CUstream_st*);

  std::string version() const;  // "2.32.3"
  // Error("<what>: NCCL 2.32.3: <NCCL's own words>") unless the status is success.
  void expect(int status, const std::string& what, ncclComm* = nullptr) const;
};

// The process's NCCL: libnccl.so.2. Error with every place where it was looked for.
const Nccl& nccl();

}  // namespace kith
