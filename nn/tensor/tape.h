// Tape: explicit, eager, first-order reverse-mode differentiation. Nodes are appended in execution order, so backward
// is a reverse loop. A node owns exactly what its lambda captures and is freed as soon as it has run.
//
//   Tape tape(ctx);                                  // Tape(ctx, Tape::Mode::inference) records nothing
//   Var x = tape.constant(images);
//   Var z = l2_normalize(tape, head(tape, net(tape, x)));
//   Var loss = mean(tape, ntxent(tape, z, tau));
//   tape.backward(loss);                             // fills Parameter::grad
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/tensor/profile.h"

namespace kith {

// A trainable tensor. grad, where nobody gave it memory (an optimiser does: nn/model/flat_parameters.h), is empty until the first
// backward; backward adds to a non-empty grad only between zero_grad calls (see Parameter::fresh).
struct Parameter {
  Tensor value;
  Tensor grad;
  bool fresh = true;      // the next backward overwrites grad instead of adding to it
  bool trainable = true;  // false: receives no gradient
  Tensor bf16_copy = {};  // for operations that read bf16 weights; else empty
};

// Rounds the weights into bf16_copy, if there is one. Call after changing `value` outside of an optimiser's step.
void sync_bf16_copy(const Parameter&);

class Tape;

// How a value is made again in the backward pass where it was not kept: once, for all that ask.
struct Recipe {
  std::function<Tensor()> make;
  Tensor made = {};
};

class Var {
 public:
  Var() = default;
  const Tensor& value() const { return value_; }
  const Tensor& bf16_copy() const { return bf16_copy_; }  // of a parameter
  bool wants_grad() const { return node_ >= 0; }

 private:
  friend class Tape;
  friend class Kept;
  Tensor value_, bf16_copy_;
  std::shared_ptr<Recipe> recipe_;
  int64_t node_ = -1;  // slot that receives the gradient; -1: none
};

// What a node keeps of a value until its backward: the tensor, or where there is one the recipe. The value that was made is gone
// with the last that kept the recipe.
class Kept {
 public:
  Kept() = default;
  explicit Kept(const Var& v) : tensor_(v.recipe_ ? Tensor() : v.value_), recipe_(v.recipe_) {}
  explicit Kept(Tensor value) : tensor_(std::move(value)) {}
  explicit Kept(std::shared_ptr<Recipe> recipe) : recipe_(std::move(recipe)) {}
  bool empty() const { return !recipe_ && tensor_.empty(); }
  Tensor value() const;  // in the backward pass

 private:
  Tensor tensor_;
  std::shared_ptr<Recipe> recipe_;
};

// What a backward lambda sees of its inputs' gradients.
class Grads {
 public:
  bool wanted(int input) const;
  Write write(int input);         // overwrite for the first contribution, add afterwards; ask once per input
  Tensor& tensor(int input);      // allocated on first use; shape and dtype of the input
  bool same(int a, int b) const;  // both inputs are one Var: their gradients share memory
  // Where the gradient of `input` is still empty, dout's memory becomes it (dout dies after this backward anyway) and
  // true comes back: the caller then writes the gradient over dout, in place. At most one input of a node.
  bool adopt(int input, const Tensor& dout);
  Matrix<float> matrix(int input) { return tensor(input).matrix(); }
  float* data(int input) { return tensor(input).data(); }
  Context& context();
  Queue queue();
  OpScope& op() { return op_; }  // this backward, for its cost to be charged

 private:
  friend class Tape;
  Grads(Tape& tape, const std::vector<int64_t>& inputs, OpScope& op) : tape_(tape), inputs_(inputs), op_(op) {}
  Tape& tape_;
  const std::vector<int64_t>& inputs_;
  OpScope& op_;
};

class Tape {
 public:
  enum class Mode : uint8_t { train, inference };  // inference: nothing is recorded
  using Backward = std::function<void(const Tensor& dout, Grads&)>;

  explicit Tape(Context& ctx, Mode mode = Mode::train) : ctx_(ctx), mode_(mode) {}

  Context& context() { return ctx_; }
  bool recording() const { return mode_ == Mode::train; }
  Var constant(Tensor value);   // no gradient
  Var parameter(Parameter& p);  // gradient lands in p.grad
  Var leaf(Tensor value);       // gradient kept for grad(var) after backward (tests, saliency)
  // `backward` may be dropped (and its captures freed) when no input wants a gradient. With a recipe those who keep `out` by a
  // Kept give its memory back after the forward pass.
  Var record(const char* op, std::vector<Var> inputs, Tensor out, Backward backward,
             std::shared_ptr<Recipe> recipe = {});

  void backward(const Var& scalar);  // seed 1
  void backward(const std::vector<std::pair<Var, Tensor>>& seeds);
  const Tensor& grad(const Var& leaf) const;  // of a leaf, after backward; empty when nothing reached it

 private:
  friend class Grads;
  struct Slot {  // one value that wants a gradient
    Tensor grad;
    Shape shape;
    DType dtype = DType::f32;
    bool written = false;
    Parameter* parameter = nullptr;
    bool keep = false;
  };
  struct Node {
    const char* op;
    std::vector<int64_t> inputs;
    int64_t output;
    Backward backward;
  };
  int64_t add_slot(Slot slot);
  void seed(const Var& var, const Tensor& value);

  Context& ctx_;
  Mode mode_;
  bool consumed_ = false;  // backward has run
  std::vector<Slot> slots_;
  std::vector<Node> nodes_;
};

}  // namespace kith
