#include "nn/device/onednn/plan.h"

#include <unordered_map>

#include "kernels/elementwise.h"
#include "nn/device/onednn/versions.h"

namespace kith {
namespace {

float* memory_of(const Tensor& t) { return t.data(); }

Tensor floats_for(Context& ctx, const dnnl::memory::desc& desc) {
  return ctx.empty({static_cast<int64_t>((desc.get_size() + sizeof(float) - 1) / sizeof(float))});
}

// Blocks of 16 channels are the same bytes as NHWC where there is one block, or one pixel.
bool same_bytes(const dnnl::memory::desc& stored, const dnnl::memory::desc& wanted) {
  using tag = dnnl::memory::format_tag;
  if (stored == wanted) return true;
  const dnnl::memory::dims d = onednn::dims_of(stored);
  return d.size() == 4 && (d[1] == 16 || (d[1] % 16 == 0 && d[2] * d[3] == 1)) && stored == dense_desc(d, tag::nhwc) &&
         wanted == dense_desc(d, tag::nChw16c);
}

}  // namespace

dnnl::memory::desc dense_desc(const dnnl::memory::dims& dims, dnnl::memory::format_tag tag) {
  return {dims, dnnl::memory::data_type::f32, tag};
}

dnnl::primitive_attr plan_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

Operand make_operand(const dnnl::engine& engine, int argument, const dnnl::memory::desc& stored,
                     const dnnl::memory::desc& wanted, bool output) {
  if (same_bytes(stored, wanted)) return {.argument = argument, .stored = wanted, .wanted = wanted, .reorder = {}};
  Operand operand{.argument = argument, .stored = stored, .wanted = wanted, .reorder = {}};
  const auto& from = output ? wanted : stored;
  const auto& to = output ? stored : wanted;
  operand.reorder.emplace(dnnl::reorder::primitive_desc(engine, from, engine, to, plan_attributes()));
  return operand;
}

void run_plan(OneDnn& dnn, const Plan& plan, const PlanData& data) {
  Context& ctx = dnn.ctx;
  dnnl::stream stream(dnn.engine);  // of this call: several threads may be here
  std::unordered_map<int, dnnl::memory> arguments;
  std::vector<Tensor> held;  // temporaries live until the primitive has run
  const auto memory = [&](const dnnl::memory::desc& desc, const void* at) {
    return dnnl::memory(desc, dnn.engine, const_cast<void*>(at));
  };
  const auto reorder = [&](const Operand& operand, dnnl::memory from, dnnl::memory to) {
    operand.reorder->execute(stream, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  };
  const auto input = [&](const Operand& operand, const float* at) {
    dnnl::memory stored = memory(operand.stored, at);
    if (operand.reorder) {
      dnnl::memory wanted = memory(operand.wanted, memory_of(held.emplace_back(floats_for(ctx, operand.wanted))));
      reorder(operand, stored, wanted);
      stored = wanted;
    }
    arguments.emplace(operand.argument, stored);
  };
  input(plan.operands[0], data.first);
  input(plan.operands[1], data.second);

  const Operand& out = plan.operands[2];
  const int64_t count = static_cast<int64_t>(out.stored.get_size() / sizeof(float));
  float* stored_at = data.out;
  if (data.write == Write::add) stored_at = memory_of(held.emplace_back(ctx.empty({count})));
  const dnnl::memory stored = memory(out.stored, stored_at);
  dnnl::memory wanted = stored;
  if (out.reorder) wanted = memory(out.wanted, memory_of(held.emplace_back(floats_for(ctx, out.wanted))));
  arguments.emplace(out.argument, wanted);

  if (plan.scratchpad.get_size() > 0)
    arguments.emplace(DNNL_ARG_SCRATCHPAD,
                      memory(plan.scratchpad, memory_of(held.emplace_back(floats_for(ctx, plan.scratchpad)))));
  plan.primitive.execute(stream, arguments);
  if (out.reorder) reorder(out, wanted, stored);
  if (data.write == Write::add)
    kernels::add({.a = {data.out, static_cast<size_t>(count)},
                  .b = {stored_at, static_cast<size_t>(count)},
                  .y = {data.out, static_cast<size_t>(count)}},
                 Queue{});
}

}  // namespace kith
