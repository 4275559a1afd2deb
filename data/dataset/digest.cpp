#include "data/dataset/digest.h"

#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "data/formats/files.h"

namespace kith::data {
namespace {

std::string hexadecimal(XXH128_hash_t h) { return fmt::format("{:016x}{:016x}", h.high64, h.low64); }

std::string of_images(const Images& images) {
  if (images.count == 0) return "none";
  return fmt::format("{} of {} x {} x {}, {}", images.count, images.height, images.width, images.channels,
                     digest(images.pixels));
}

std::string of_labels(const Images& images) {
  if (images.labels.empty()) return "none";
  return digest({reinterpret_cast<const uint8_t*>(images.labels.data()), images.labels.size() * sizeof(int32_t)});
}

}  // namespace

std::string digest(std::span<const uint8_t> bytes) { return hexadecimal(XXH3_128bits(bytes.data(), bytes.size())); }

std::string digest_of_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(), XXH3_freeState);
  if (!in || !state) fail("{}: cannot open: {}", path.string(), std::strerror(errno));
  XXH3_128bits_reset(state.get());
  std::vector<char> block(1 << 20);
  while (in.read(block.data(), static_cast<std::streamsize>(block.size())), in.gcount() > 0)
    XXH3_128bits_update(state.get(), block.data(), static_cast<size_t>(in.gcount()));
  if (in.bad()) fail("{}: cannot read: {}", path.string(), std::strerror(errno));
  return hexadecimal(XXH3_128bits_digest(state.get()));
}

std::map<std::string, std::string> parts_of(const Dataset& data) {
  std::string names;
  for (const std::string& name : data.class_names) names += name + '\0';
  std::map<std::string, std::string> parts = {
      {"train images", of_images(data.train())},
      {"test images", of_images(data.test())},
      {"train labels", of_labels(data.train())},
      {"test labels", of_labels(data.test())},
      {"class names", digest(as_bytes(names))},
      {"normalisation", fmt::format("{} {} {} / {} {} {}", data.mean[0], data.mean[1], data.mean[2], data.std[0],
                                    data.std[1], data.std[2])}};
  if (const Images& more = data.of(Role::unlabelled); more.count > 0) parts["unlabelled images"] = of_images(more);
  return parts;
}

}  // namespace kith::data
