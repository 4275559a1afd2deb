// FlatParameters: the weights of a list of parameters in one buffer, their gradients in a second, their bf16 copies in a third.
// Parameter::value, grad and bf16_copy become views of them, so what is done to all parameters (an optimiser's step, a moving
// average, a reduction over ranks) takes one span.
//
//   order    parameters with a bf16 copy, then the other matrices, then vectors; within each kind as listed
//   start    a multiple of kAligned elements; but a parameter that stood directly behind the one before stays there (heads that
//            are computed as one product)
//   padding  what lies between parameters is 0 in every buffer. A step or an average keeps it 0.
//
// Parameters keep their values, copies and gradients. Errors  a parameter that is listed twice; later, in expect_bound, one
// whose value or gradient was given other memory. Cost  one copy of every buffer; memory: padding only, but while it is made
// the weights stand in memory twice. A copy of this object refers to the same memory.
#pragma once
#include <vector>

#include "nn/state/state.h"

namespace kith {

class FlatParameters {
 public:
  // A view is as aligned as an allocation of its own: f32 numbers at a multiple of 512 bytes from the start of their buffer,
  // bf16 numbers of 256.
  static constexpr int64_t kAligned = 128;

  struct Entry {
    NamedParameter named;
    int64_t offset, size;  // in elements
    Parameter& parameter() const { return *named.parameter; }
    int64_t end() const { return offset + size; }
  };

  FlatParameters(Context&, const std::vector<NamedParameter>&);

  const std::vector<Entry>& entries() const { return entries_; }          // as listed
  const std::vector<size_t>& memory_order() const { return by_offset_; }  // indices of entries
  const Tensor& values() const { return values_; }                        // [size], f32, as all that follow
  const Tensor& grads() const { return grads_; }
  const Tensor& bf16_copies() const { return bf16_copies_; }  // [end of the last parameter that has one], bf16
  int64_t count() const;                                      // of weights, padding left out

  // A parameter's part of a tensor that is laid out like values(), in the parameter's shape.
  Tensor part(const Tensor& flat, const Entry&) const;
  void expect_bound() const;  // Error, naming the parameter, where value or grad is no longer a view of these buffers

 private:
  void place(const std::vector<NamedParameter>&);
  void bind(const Entry&) const;

  std::vector<Entry> entries_;
  std::vector<size_t> by_offset_;
  Tensor values_, grads_, bf16_copies_;
};

}  // namespace kith
