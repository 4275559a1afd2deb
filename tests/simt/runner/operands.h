// Operands of a product in shared memory, by descriptor.
#pragma once
#include "tests/simt/runner/block.h"

namespace simt {

constexpr uintptr_t kWindow = 1024;  // where dynamic shared memory begins in its window: behind what the system keeps
constexpr unsigned kK = 16;          // elements of a row of an operand

// out [rows][kK]: with K innermost, or with the rows' side innermost, of which a descriptor names the operand of B.
void read_operand(Block&, uint64_t descriptor, unsigned rows, const char* name, const Order::Knowledge&, Order::Stamp,
                  uint16_t* out);
void read_operand_across(Block&, uint64_t descriptor, unsigned rows, const char* name, const Order::Knowledge&,
                         Order::Stamp, uint16_t* out);

}  // namespace simt
