#include "nn/state/onnx.h"

#include <fmt/format.h>

#include <cstring>

#include "kernels/core/check.h"

namespace kith {
namespace {

// https://protobuf.dev/programming-guides/encoding: a field is its number and kind, then a number of 7 bits a byte, or four bytes,
// or a length and as many bytes.
void put_number(std::string& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

enum class Wire : uint8_t { number = 0, text = 2, four_bytes = 5 };

void put_key(std::string& to, int field, Wire kind) {
  put_number(to, static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(kind));
}

void put(std::string& to, int field, int64_t value) {
  put_key(to, field, Wire::number);
  put_number(to, static_cast<uint64_t>(value));
}

void put(std::string& to, int field, float value) {
  put_key(to, field, Wire::four_bytes);
  char bytes[sizeof(float)];
  std::memcpy(bytes, &value, sizeof(float));
  to.append(bytes, sizeof(float));
}

void put(std::string& to, int field, std::string_view text) {  // or a message
  put_key(to, field, Wire::text);
  put_number(to, text.size());
  to += text;
}

// The numbers of fields and kinds are those of onnx.proto, IR version 8.
constexpr int64_t kIrVersion = 8, kOperatorSet = 17, kFloat = 1;

std::string value_info(const std::string& name, const std::vector<int64_t>& shape) {
  std::string extents, tensor, type, info;
  for (const int64_t extent : shape) {
    std::string dimension;
    if (extent == OnnxGraph::kBatch)
      put(dimension, 2, std::string_view("batch"));
    else
      put(dimension, 1, extent);
    put(extents, 1, dimension);
  }
  put(tensor, 1, kFloat);
  put(tensor, 2, extents);
  put(type, 1, tensor);
  put(info, 1, name);
  put(info, 2, type);
  return info;
}

struct ValueOf {
  std::string& to;
  void operator()(float value) const {
    put(to, 2, value);
    put(to, 20, int64_t{1});
  }
  void operator()(int64_t value) const {
    put(to, 3, value);
    put(to, 20, int64_t{2});
  }
  void operator()(const std::vector<int64_t>& values) const {
    for (const int64_t value : values) put(to, 8, value);
    put(to, 20, int64_t{7});
  }
};

std::string pair(const std::string& key, const std::string& value) {
  std::string entry;
  put(entry, 1, key);
  put(entry, 2, value);
  return entry;
}

}  // namespace

void OnnxGraph::input(const std::string& name, const std::vector<int64_t>& shape) {
  put(inputs_, 11, value_info(name, shape));
}

void OnnxGraph::output(const std::string& name, const std::vector<int64_t>& shape) {
  put(outputs_, 12, value_info(name, shape));
}

std::string OnnxGraph::constant(const std::string& name, const HostArray& f32) {
  check(f32.dtype == "F32", "ONNX constant " + name + ": F32 expected, found " + f32.dtype);
  std::string tensor;
  for (const int64_t extent : f32.shape) put(tensor, 1, extent);
  put(tensor, 2, kFloat);
  put(tensor, 8, name);
  put(tensor, 9, std::string_view(reinterpret_cast<const char*>(f32.bytes.data()), f32.bytes.size()));
  put(constants_, 5, tensor);
  return name;
}

std::string OnnxGraph::node(const std::string& op, const std::vector<std::string>& inputs, const std::string& result,
                            const std::vector<OnnxAttribute>& attributes) {
  std::string node;
  for (const std::string& input : inputs) put(node, 1, input);
  put(node, 2, result);
  put(node, 3, result);
  put(node, 4, op);
  for (const OnnxAttribute& a : attributes) {
    std::string attribute;
    put(attribute, 1, a.name);
    std::visit(ValueOf{attribute}, a.value);
    put(node, 5, attribute);
  }
  put(nodes_, 1, node);
  return result;
}

void OnnxGraph::metadata(const std::string& key, const std::string& value) { put(metadata_, 14, pair(key, value)); }

std::string OnnxGraph::bytes(std::string_view producer, std::string_view version) const {
  std::string graph = nodes_, operators, model;
  put(graph, 2, name_);
  graph += constants_ + inputs_ + outputs_;
  put(operators, 1, std::string_view());
  put(operators, 2, kOperatorSet);
  put(model, 1, kIrVersion);
  put(model, 2, producer);
  put(model, 3, version);
  put(model, 7, graph);
  put(model, 8, operators);
  model += metadata_;
  if (model.size() > INT32_MAX)
    throw Error(fmt::format("ONNX: the network takes {} bytes; a file holds at most {}", model.size(), INT32_MAX));
  return model;
}

}  // namespace kith
