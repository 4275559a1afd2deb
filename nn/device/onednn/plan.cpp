#include "nn/device/onednn/plan.h"

#include <unordered_map>

#include "kernels/elementwise.h"
#include "nn/device/onednn/versions.h"

namespace kith {
namespace {

Tensor floats_for(Context& ctx, const dnnl::memory::desc& desc) {
  return ctx.empty({static_cast<int64_t>((desc.get_size() + sizeof(float) - 1) / sizeof(float))});
}

// Blocks of 16 channels are the same bytes as NHWC where there is one block, or one pixel.
bool same_bytes(const dnnl::memory::desc& stored, const dnnl::memory::desc& wanted) {
  using tag = dnnl::memory::format_tag;
  if (stored == wanted) return true;
  const dnnl::memory::dims d = onednn::dims_of(stored);
  const auto is = [&](const dnnl::memory::desc& desc, tag layout) {
    return desc == dense_desc(d, layout) || desc == dense_desc(d, layout, DType::bf16);
  };
  return d.size() == 4 && (d[1] == 16 || (d[1] % 16 == 0 && d[2] * d[3] == 1)) &&
         stored.get_size() == wanted.get_size() && is(stored, tag::nhwc) && is(wanted, tag::nChw16c);
}

}  // namespace

dnnl::memory::desc dense_desc(const dnnl::memory::dims& dims, dnnl::memory::format_tag tag, DType type) {
  return {dims, type == DType::f32 ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16, tag};
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
  const auto input = [&](const Operand& operand, const void* at) {
    dnnl::memory stored = memory(operand.stored, at);
    if (operand.reorder) {
      dnnl::memory wanted = memory(operand.wanted, held.emplace_back(floats_for(ctx, operand.wanted)).raw());
      reorder(operand, stored, wanted);
      stored = wanted;
    }
    arguments.emplace(operand.argument, stored);
  };
  input(plan.operands[0], data.first);
  input(plan.operands[1], data.second);

  const Operand& out = plan.operands[2];
  void* stored_at = data.out;
  if (data.write == Write::add) stored_at = held.emplace_back(floats_for(ctx, out.stored)).raw();
  const dnnl::memory stored = memory(out.stored, stored_at);
  dnnl::memory wanted = stored;
  if (out.reorder) wanted = memory(out.wanted, held.emplace_back(floats_for(ctx, out.wanted)).raw());
  arguments.emplace(out.argument, wanted);

  if (plan.scratchpad.get_size() > 0)
    arguments.emplace(DNNL_ARG_SCRATCHPAD,
                      memory(plan.scratchpad, held.emplace_back(floats_for(ctx, plan.scratchpad)).raw()));
  plan.primitive.execute(stream, arguments);
  if (out.reorder) reorder(out, wanted, stored);
  if (data.write == Write::add) {
    const size_t count = out.stored.get_size() / sizeof(float);
    const std::span<float> sum{static_cast<float*>(data.out), count};
    kernels::add({.a = sum, .b = {static_cast<const float*>(stored_at), count}, .y = sum}, Queue{});
  }
}

}  // namespace kith
