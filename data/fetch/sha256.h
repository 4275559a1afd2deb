// SHA-256 (FIPS 180-4) by OpenSSL's libcrypto.
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace kith::data {

std::string sha256(std::span<const uint8_t> bytes);  // 64 hexadecimal digits

}  // namespace kith::data
