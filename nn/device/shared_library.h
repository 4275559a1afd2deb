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
// CUDA_HOME and CUDA_PATH, /usr/local/cuda, and the wheels of Python environments: the active one (VIRTUAL_ENV, CONDA_PREFIX),
// the one that python3 of PATH belongs to, and the user's (~/.local). Last, those beside the headers that this build found,
// unless it is for other machines (KITH_DIST).
// `variable` reads the environment: a variable that is not set is empty. `beside_headers`: folders with ':' between.
std::vector<std::filesystem::path> cuda_library_folders(const std::function<std::string(const char*)>& variable,
                                                        const std::string& beside_headers);
std::vector<std::filesystem::path> cuda_library_folders();

}  // namespace kith
