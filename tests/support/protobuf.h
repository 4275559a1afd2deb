// Reads protobuf messages as far as tests look into them: fields by number, in order.
#pragma once
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace kith::test {

class ProtobufMessage {
 public:
  struct Value {
    uint64_t number = 0;         // or the bits of a float
    std::string_view text = {};  // or a message
  };

  explicit ProtobufMessage(std::string_view bytes) {
    while (!bytes.empty()) {
      const uint64_t key = take_number(bytes);
      Value value;
      switch (key & 7) {
        case 0:
          value.number = take_number(bytes);
          break;
        case 2:
          value.text = take(bytes, take_number(bytes));
          break;
        case 5:
          for (const char c : take(bytes, 4))
            value.number = value.number >> 8 | uint64_t{static_cast<uint8_t>(c)} << 24;
          break;
        default:
          throw std::runtime_error("protobuf: a field of another kind");
      }
      fields_[static_cast<int>(key >> 3)].push_back(value);
    }
  }

  const std::vector<Value>& all(int field) const {
    static const std::vector<Value> none;
    const auto at = fields_.find(field);
    return at == fields_.end() ? none : at->second;
  }
  std::string text(int field) const { return std::string(all(field).at(0).text); }
  uint64_t number(int field) const { return all(field).at(0).number; }
  ProtobufMessage message(int field) const { return ProtobufMessage(all(field).at(0).text); }

 private:
  static std::string_view take(std::string_view& bytes, uint64_t count) {
    if (count > bytes.size()) throw std::runtime_error("protobuf: truncated");
    const std::string_view taken = bytes.substr(0, count);
    bytes.remove_prefix(count);
    return taken;
  }
  static uint64_t take_number(std::string_view& bytes) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(bytes, 1)[0]);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
  }

  std::map<int, std::vector<Value>> fields_;
};

}  // namespace kith::test
