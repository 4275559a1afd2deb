#include "scan/train/checkpoint_file.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/dataset/digest.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "scan/run/remedy.h"

namespace kith {
namespace {

const char* const kContentDigest = "kith.digest";  // metadata key

std::string content_digest(const SafeTensors& file) {
  nlohmann::json content = {{"tensors", nlohmann::json::object()}, {"metadata", file.metadata}};
  content["metadata"].erase(kContentDigest);
  for (const auto& [name, array] : file.arrays)
    content["tensors"][name] = {
        array.dtype, array.shape,
        data::digest({reinterpret_cast<const uint8_t*>(array.bytes.data()), array.bytes.size()})};
  return data::digest(data::as_bytes(content.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

}  // namespace

void write_checkpoint_file(const std::filesystem::path& path, SafeTensors file) {
  file.metadata[kContentDigest] = content_digest(file);
  write_safetensors(path, file);
}

SafeTensors read_checkpoint_file(const std::filesystem::path& path, const std::string& remedy) {
  return or_remedy(remedy, [&] {
    SafeTensors file = read_safetensors(path);
    const auto saved = file.metadata.find(kContentDigest);
    if (saved != file.metadata.end() && saved->second != content_digest(file))
      throw Error(path.string() + ": damaged: not the bytes that were saved");
    return file;
  });
}

}  // namespace kith
