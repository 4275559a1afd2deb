#include "data/fetch/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "data/formats/files.h"

namespace kith::data {

std::string sha256(std::span<const uint8_t> bytes) {
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1)
    fail("libcrypto cannot compute SHA-256");
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace kith::data
