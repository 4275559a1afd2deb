// Download sources of each data set, as data, so that a test can replace them. Inside data/ only.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::data {

struct File {
  std::string name;
  uint64_t bytes = 0;
  std::string sha256;
};

enum class Kind {
  archive,   // a .tar.gz at `address` holds the files in its folder `inside`
  gz_files,  // `address` + NAME.gz, one by one
  npm_png,   // the npm package `address` holds CIFAR batches as pictures (cifar_png.h)
  folder,    // the files are on this machine in `address`, plain or .gz
  debian,    // the Debian package `address` holds the files in its folder `inside`, plain or .gz
};

struct Source {
  Kind kind;
  std::string address;
  std::string inside = {};
  uint64_t bytes = 0;       // of an archive
  std::string sha256 = {};  // of an archive
};

struct Download {
  std::string name;    // as in a SPEC
  std::string folder;  // below root, where the files go
  std::vector<File> files;
  std::vector<Source> sources;  // in the order to try
};

// Error naming the known ones.
Download find_download(std::string_view name);

using Say = std::function<void(const std::string&)>;
// fetch() of data/fetch/fetch.h for any download.
std::string fetch(const Download&, const std::filesystem::path& root, const Say&);

}  // namespace kith::data
