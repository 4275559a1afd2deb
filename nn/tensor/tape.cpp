#include "nn/tensor/tape.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"

namespace kith {

void sync_bf16_copy(const Parameter& p) {
  if (p.bf16_copy.empty()) return;
  const std::span<bf16> copy(static_cast<bf16*>(p.bf16_copy.raw()), static_cast<size_t>(p.bf16_copy.size()));
  kernels::to_bf16({.x = p.value.span(), .y = copy}, p.value.queue());
}

bool Grads::wanted(int input) const { return inputs_.at(static_cast<size_t>(input)) >= 0; }

bool Grads::same(int a, int b) const {
  return wanted(a) && inputs_.at(static_cast<size_t>(a)) == inputs_.at(static_cast<size_t>(b));
}

Write Grads::write(int input) {
  check(wanted(input), "gradient written that is not wanted");
  Tape::Slot& slot = tape_.slots_[static_cast<size_t>(inputs_[static_cast<size_t>(input)])];
  if (slot.parameter != nullptr) return std::exchange(slot.parameter->fresh, false) ? Write::overwrite : Write::add;
  return std::exchange(slot.written, true) ? Write::add : Write::overwrite;
}

Tensor& Grads::tensor(int input) {
  check(wanted(input), "gradient asked for that is not wanted");
  Tape::Slot& slot = tape_.slots_[static_cast<size_t>(inputs_[static_cast<size_t>(input)])];
  Tensor& grad = slot.parameter != nullptr ? slot.parameter->grad : slot.grad;
  if (grad.empty()) grad = tape_.ctx_.empty(slot.shape, slot.dtype);
  return grad;
}

bool Grads::adopt(int input, const Tensor& dout) {
  check(wanted(input), "gradient asked for that is not wanted");
  Tape::Slot& slot = tape_.slots_[static_cast<size_t>(inputs_[static_cast<size_t>(input)])];
  if (slot.parameter != nullptr || slot.written) return false;
  slot.grad = dout.shape() == slot.shape ? dout : dout.reshape(slot.shape);
  return true;
}

Context& Grads::context() { return tape_.ctx_; }

Queue Grads::queue() { return tape_.ctx_.queue(); }

int64_t Tape::add_slot(Slot slot) {
  check(!consumed_, "this tape's backward has run: record on a new tape");
  slots_.push_back(std::move(slot));
  return static_cast<int64_t>(slots_.size()) - 1;
}

Var Tape::constant(Tensor value) {
  Var v;
  v.value_ = std::move(value);
  return v;
}

Var Tape::parameter(Parameter& p) {
  Var v = constant(p.value);
  v.bf16_copy_ = p.bf16_copy;
  if (recording() && p.trainable) v.node_ = add_slot({.grad = {}, .shape = p.value.shape(), .parameter = &p});
  return v;
}

Var Tape::leaf(Tensor value) {
  Var v = constant(std::move(value));
  if (recording())
    v.node_ = add_slot({.grad = {}, .shape = v.value().shape(), .dtype = v.value().dtype(), .keep = true});
  return v;
}

Tensor Kept::value() const {
  if (!recipe_) return tensor_;
  if (recipe_->made.empty()) recipe_->made = recipe_->make();
  return recipe_->made;
}

Var Tape::record(const char* op, std::vector<Var> inputs, Tensor out, Backward backward,
                 std::shared_ptr<Recipe> recipe) {
  Var v = constant(std::move(out));
  if (!recording() || std::ranges::none_of(inputs, &Var::wants_grad)) return v;
  v.node_ = add_slot({.grad = {}, .shape = v.value().shape(), .dtype = v.value().dtype()});
  v.recipe_ = std::move(recipe);
  Node node{.op = op, .inputs = {}, .output = v.node_, .backward = std::move(backward)};
  for (const Var& input : inputs) node.inputs.push_back(input.node_);
  nodes_.push_back(std::move(node));
  return v;
}

void Tape::seed(const Var& var, const Tensor& value) {
  check(var.wants_grad(), "backward from a value that depends on no parameter or leaf");
  Slot& slot = slots_.at(static_cast<size_t>(var.node_));
  check(slot.parameter == nullptr, "backward from a parameter");
  check(value.shape() == slot.shape, fmt::format("backward: gradient of shape {} for a value of shape {}",
                                                 to_string(value.shape()), to_string(slot.shape)));
  check(!slot.written, "backward: one value seeded twice");
  slot.grad = ctx_.empty(slot.shape, slot.dtype);
  slot.grad.copy_from(value);
  slot.written = true;
}

void Tape::backward(const Var& scalar) {
  check(scalar.value().size() == 1,
        fmt::format("backward: a scalar expected, found shape {}", to_string(scalar.value().shape())));
  backward({{scalar, ctx_.constant(scalar.value().shape(), {1.f})}});
}

void Tape::backward(const std::vector<std::pair<Var, Tensor>>& seeds) {
  check(recording(), "backward on an inference tape");
  check(!consumed_, "backward runs once on a tape");
  for (const auto& [var, value] : seeds) seed(var, value);
  consumed_ = true;
  const NamedRange range(ctx_, "backward");
  while (!nodes_.empty()) {
    const Node node = std::move(nodes_.back());  // freed, captures and all, at the end of this turn
    nodes_.pop_back();
    Slot& slot = slots_[static_cast<size_t>(node.output)];
    if (!slot.written) continue;
    OpScope op(ctx_, node.op, "backward");
    Grads grads(*this, node.inputs, op);
    node.backward(slot.grad, grads);
    if (!slot.keep) slot.grad = {};
  }
}

const Tensor& Tape::grad(const Var& leaf) const {
  check(leaf.wants_grad(), "grad of a value that wants none");
  const Slot& slot = slots_.at(static_cast<size_t>(leaf.node_));
  check(slot.keep, "grad of a value that is not a leaf");
  return slot.grad;
}

}  // namespace kith
