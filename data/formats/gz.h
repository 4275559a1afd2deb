// A stream over a plain or a gzip file. Inside data/ only.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace kith::data {

class GzStream {
 public:
  explicit GzStream(const std::filesystem::path&);  // zlib tells plain from gzip by the first bytes
  // Up to `bytes`, fewer at the end of the file. Memory grows with what is there, not with what was asked for.
  std::vector<uint8_t> read(uint64_t bytes);
  bool gzip() const { return gzdirect(file_.get()) == 0; }  // known once something was read
  const std::string& name() const { return name_; }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  std::string name_;
  std::unique_ptr<gzFile_s, Close> file_;
};

// PATH where it exists, else PATH.gz.
std::filesystem::path plain_or_gz(const std::filesystem::path&);

}  // namespace kith::data
