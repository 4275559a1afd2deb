// Vendor libraries that are looked for when they are first needed: a program that uses none of them starts without them.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace kith {

// A library that stays loaded until the process ends.
class SharedLibrary {
 public:
  // First by its bare name, as the system's linker finds it, then in each folder. Error names every place.
  SharedLibrary(const std::string& name, const std::vector<std::filesystem::path>& folders);

  // symbol<decltype(&cudnnCreate)>("cudnnCreate"); Error when the library has no such function.
  template <class Function>
  Function symbol(const char* name) const {
    return reinterpret_cast<Function>(address(name));
  }

 private:
  void* address(const char* name) const;
  std::string name_;
  void* handle_ = nullptr;
};

// Where NVIDIA's libraries lie when the system's linker does not know them: KITH_CUDA_LIBRARIES (folders with ':' between),
// CUDA_HOME and CUDA_PATH, /usr/local/cuda, and the wheels of the active Python environment (VIRTUAL_ENV, CONDA_PREFIX).
// `variable` reads the environment: a variable that is not set is empty.
std::vector<std::filesystem::path> cuda_library_folders(const std::function<std::string(const char*)>& variable);
std::vector<std::filesystem::path> cuda_library_folders();

}  // namespace kith
