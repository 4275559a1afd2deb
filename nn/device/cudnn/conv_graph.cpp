#include "nn/device/cudnn/conv_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernels/core/check.h"
#include "nn/device/plans/plan_search.h"

namespace kith {
namespace {

constexpr int64_t kFirst = 1, kSecond = 2, kOut = 3;  // the operands' names inside a graph
constexpr int64_t kProposals = 32;                    // of one mode: more than a search tries
constexpr int64_t kKnobs = 32;

cudnnDataType_t data_type(DType dtype) { return dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT; }

// n images of h x w x c, or n filters, channels innermost. cuDNN lists extents as N, C, H, W whatever the layout.
Descriptor tensor(int64_t name, std::array<int64_t, 4> nhwc, cudnnDataType_t type, int64_t alignment,
                  const std::string& what) {
  const auto [n, h, w, c] = nhwc;
  const std::array<int64_t, 4> extents{n, c, h, w}, strides{h * w * c, 1, w * c, c};
  Descriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type);
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, extents);
  d.set(CUDNN_ATTR_TENSOR_STRIDES, strides);
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, name);
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment);
  d.finalize(what);
  return d;
}

Descriptor convolution(const ConvShape& s, const std::string& what) {
  const std::array<int64_t, 2> strides{s.stride, s.stride}, padding{s.padding, s.padding}, dilation{1, 1};
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  Descriptor d(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  d.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
  d.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  d.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  d.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding);
  d.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding);
  d.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, strides);
  d.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, dilation);
  d.finalize(what);
  return d;
}

// The attributes of the three operations, in the order of ConvOperands.
struct Operation {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t convolution, alpha, beta, first, second, out;
};

constexpr Operation kForward{CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
constexpr Operation kBackwardData{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX};
constexpr Operation kBackwardWeights{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW};

constexpr const Operation& operation_of(Pass pass) {
  return pass == Pass::forward ? kForward : pass == Pass::backward_data ? kBackwardData : kBackwardWeights;
}

Descriptor make_graph(const ConvPlanKey& key, const ConvTarget& target) {
  const std::string what = to_string(key);
  const ConvShape& s = key.shape;
  const cudnnDataType_t type = data_type(key.dtype);
  const auto operand = [&](int64_t name, std::array<int64_t, 4> nhwc, cudnnDataType_t as) {
    return tensor(name, nhwc, as, key.alignment, what);
  };
  const std::array<int64_t, 4> x{s.images, s.height, s.width, s.in}, w{s.out, s.kernel, s.kernel, s.in},
      y{s.images, s.out_height(), s.out_width(), s.out};
  const bool forward = key.pass == Pass::forward, weights = key.pass == Pass::backward_weights;
  const Descriptor first = operand(kFirst, key.pass == Pass::backward_data ? y : x, type);
  const Descriptor second = operand(kSecond, weights ? y : w, type);
  const Descriptor out = operand(kOut, forward ? y : weights ? w : x, type);
  const Descriptor conv = convolution(s, what);

  const Operation& names = operation_of(key.pass);
  Descriptor operation(names.type);
  operation.set(names.convolution, conv);
  operation.set(names.alpha, 1.f);
  operation.set(names.beta, key.write == Write::add ? 1.f : 0.f);
  operation.set(names.first, first).set(names.second, second).set(names.out, out);
  operation.finalize(what);

  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
  if (target.handle != nullptr) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target.handle);
  graph.finalize(what);
  return graph;
}

// True if an engine keeps the contract of DenseMath.
bool acceptable(const std::vector<cudnnBackendNumericalNote_t>& notes, const ConvPlanKey& key) {
  const auto has = [&](cudnnBackendNumericalNote_t note) { return std::ranges::find(notes, note) != notes.end(); };
  if (has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) || has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return false;
  if (has(CUDNN_NUMERICAL_NOTE_FFT) || has(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6) ||
      has(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13))
    return false;
  const bool rounds_f32 = has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) || has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
  return key.dtype == DType::bf16 || key.tf32 || !rounds_f32;
}

}  // namespace

ConvPlan::ConvPlan(Descriptor config, Descriptor plan, PlanChoice choice)
    : config_(std::move(config)), plan_(std::move(plan)), choice_(std::move(choice)) {
  choice_.workspace = plan_.int64(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
}

void ConvPlan::run(cudnnHandle_t handle, const ConvOperands& operands, void* workspace) const {
  const std::array<int64_t, 3> names{kFirst, kSecond, kOut};
  const std::array<const void*, 3> data{operands.first, operands.second, operands.out};
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, names);
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, data.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
  pack.finalize("operands of a convolution");
  cudnn_check(cudnn().execute(handle, plan_.get(), pack.get()), "running a convolution");
}

ConvGraph::ConvGraph(const ConvPlanKey& key, ConvTarget target)
    : key_(key), target_(target), graph_(make_graph(key, target)) {}

void ConvGraph::propose(cudnnBackendHeurMode_t mode, std::vector<PlanChoice>& found) const {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (target_.described != nullptr) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target_.described);
  if (!heuristics.try_finalize()) return;  // the mode does not know such a graph
  for (const Descriptor& config :
       heuristics.descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, kProposals)) {
    const auto engines = config.descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
    if (engines.empty()) continue;
    PlanChoice choice{.engine = engines[0].int64(CUDNN_ATTR_ENGINE_GLOBAL_INDEX)};
    for (const Descriptor& knob :
         config.descriptors(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, kKnobs)) {
      const auto type = knob.list<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1);
      choice.knobs.emplace_back(type.at(0), knob.int64(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
    }
    if (acceptable(notes(choice), key_) && std::ranges::find(found, choice) == found.end())
      found.push_back(std::move(choice));
  }
}

std::vector<PlanChoice> ConvGraph::candidates() const {
  std::vector<PlanChoice> found;
  propose(CUDNN_HEUR_MODE_A, found);
  // Slower engines, but some need no workspace: of few proposals, as for f32, all may ask for more than is allowed.
  if (found.size() < kTriedPlans) propose(CUDNN_HEUR_MODE_FALLBACK, found);
  return found;
}

Descriptor ConvGraph::engine(int64_t index) const {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph_);
  engine.set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, index);
  if (target_.described != nullptr) engine.set(CUDNN_ATTR_ENGINE_DEVICEPROP, *target_.described);
  engine.finalize(fmt::format("{}, engine {}", to_string(key_), index));
  return engine;
}

std::vector<cudnnBackendNumericalNote_t> ConvGraph::notes(const PlanChoice& choice) const {
  return engine(choice.engine)
      .list<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                         CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
}

ConvPlan ConvGraph::plan(const PlanChoice& choice) const {
  const std::string what = fmt::format("{}, engine {}", to_string(key_), choice.engine);
  const Descriptor used = engine(choice.engine);
  std::vector<Descriptor> knobs;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const auto& [type, value] : choice.knobs) {
    const auto name = static_cast<cudnnBackendKnobType_t>(type);
    Descriptor& knob = knobs.emplace_back(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    knob.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &name);
    knob.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, value).finalize(what);
    raw.push_back(knob.get());
  }
  Descriptor config(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  config.set(CUDNN_ATTR_ENGINECFG_ENGINE, used);
  if (!raw.empty())
    config.set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(raw.size()),
               raw.data());
  config.finalize(what);

  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  if (target_.handle != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target_.handle);
  if (target_.described != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target_.described);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  plan.finalize(what);
  return ConvPlan(std::move(config), std::move(plan), choice);
}

}  // namespace kith
