// ONNX files: a graph of operators over named f32 tensors, with its constants inside (operator set 17, IR version 8: what every
// ONNX Runtime since 1.12 reads).
//
// The file is one protobuf message. Its bytes are written here and not by libprotobuf: the twenty fields that a network needs have
// numbers that the format may never change, and writing them takes thirty lines, where libprotobuf with its compiler adds five
// packages (19 MB on Debian 12) and 12 seconds of compiling generated code to a build of minutes, for every user, whether he exports
// or not; libonnx-dev brings generated headers of 2022 and not the libprotobuf-dev that they include. Reading, where other
// people's files would have to be understood, would be another matter. What the onnx package writes for the same graph is the
// same to the byte (tests/nn/state/onnx.cpp), and ONNX Runtime computes what kith does (tests/golden/check_onnx.py).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "nn/state/safetensors.h"

namespace kith {

struct OnnxAttribute {
  std::string name;
  std::variant<int64_t, float, std::vector<int64_t>> value;
};

class OnnxGraph {
 public:
  static constexpr int64_t kBatch = -1;  // an extent that is any number

  explicit OnnxGraph(std::string name) : name_(std::move(name)) {}

  void input(const std::string& name, const std::vector<int64_t>& shape);
  void output(const std::string& name, const std::vector<int64_t>& shape);  // the result of a node
  // Both return the name: of a constant, and of the result of a node, which names the node as well.
  std::string constant(const std::string& name, const HostArray& f32);
  std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::string& result,
                   const std::vector<OnnxAttribute>& attributes = {});
  void metadata(const std::string& key, const std::string& value);

  // The file's content. Error: more than 2 GiB, which protobuf cannot read.
  std::string bytes(std::string_view producer, std::string_view version) const;

 private:
  std::string name_, nodes_, constants_, inputs_, outputs_,
      metadata_;  // fields of the message as far as they are known
};

}  // namespace kith
