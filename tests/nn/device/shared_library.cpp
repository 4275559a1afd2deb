#include "nn/device/shared_library.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "kernels/core/check.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

TEST(shared_library, finds_functions_and_says_when_there_is_none) {
  const SharedLibrary maths("libm.so.6", {});
  EXPECT_EQ(maths.symbol<double (*)(double)>("floor")(2.5), 2.0);
  EXPECT_THROW(maths.symbol<double (*)(double)>("no_such_function"), Error);
}

TEST(shared_library, an_absent_library_is_one_line_with_every_place) {
  try {
    const SharedLibrary none("libkith_absent.so.7", {"/nowhere", "/nor/here"});
    FAIL();
  } catch (const Error& e) {
    const std::string line = e.what();
    for (const char* part : {"libkith_absent.so.7", "/nowhere", "/nor/here", "KITH_CUDA_LIBRARIES"})
      EXPECT_NE(line.find(part), std::string::npos) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  }
}

TEST(shared_library, the_places_in_their_order) {
  const fs::path environment = fs::path(testing::TempDir()) / "kith_shared_library";
  const fs::path wheels = environment / "lib" / "python3.11" / "site-packages" / "nvidia";
  fs::create_directories(wheels / "cudnn" / "lib");
  fs::create_directories(wheels / "cu13" / "lib");
  fs::create_directories(environment / "lib" / "other");
  const std::map<std::string, std::string> variables{
      {"KITH_CUDA_LIBRARIES", "/a::/b"}, {"CUDA_HOME", "/cuda"}, {"VIRTUAL_ENV", environment.string()}};
  const auto read = [&](const char* name) { return variables.contains(name) ? variables.at(name) : std::string(); };
  EXPECT_EQ(cuda_library_folders(read, "/c:/d"),
            (std::vector<fs::path>{"/a", "/b", "/cuda/lib64", "/cuda/lib", "/usr/local/cuda/lib64",
                                   wheels / "cu13" / "lib", wheels / "cudnn" / "lib", "/c", "/d"}));
  EXPECT_EQ(cuda_library_folders([](const char*) { return std::string(); }, ""),
            (std::vector<fs::path>{"/usr/local/cuda/lib64"}));
  fs::remove_all(environment);
}

// An environment that was never activated, and a system whose pip writes below local/: python3 tells where they are.
TEST(shared_library, wheels_beside_the_python_of_path) {
  const fs::path root = fs::path(testing::TempDir()) / "kith_shared_library_path", none = root / "none" / "bin";
  const fs::path prefix = root / "env", other = root / "other";
  const fs::path wheels = prefix / "lib" / "python3.12" / "site-packages" / "nvidia" / "cudnn";
  const fs::path system = prefix / "local" / "lib" / "python3.12" / "dist-packages" / "nvidia" / "cublas";
  for (const fs::path& folder : {wheels, system, none, prefix / "bin", other / "bin",
                                 other / "lib" / "python3.12" / "site-packages" / "nvidia" / "cudnn"})
    fs::create_directories(folder);
  for (const fs::path& environment : {prefix, other}) std::ofstream(environment / "bin" / "python3") << "#!/bin/sh\n";
  const std::string path = none.string() + "::" + (prefix / "bin").string() + "/:" + (other / "bin").string();
  EXPECT_EQ(cuda_library_folders([&](const char* name) { return std::string_view(name) == "PATH" ? path : ""; }, ""),
            (std::vector<fs::path>{"/usr/local/cuda/lib64", wheels / "lib", system / "lib"}));
  fs::remove_all(root);
}

}  // namespace
}  // namespace kith
