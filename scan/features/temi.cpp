#include "scan/features/temi.h"

#include <fmt/format.h>

#include <utility>

#include "kernels/core/check.h"
#include "nn/model/initialise.h"
#include "nn/ops/ops.h"
#include "scan/train/checkpoint.h"

namespace kith {
namespace {

constexpr double kDeviation = 0.02;  // of the authors' truncated normal, which cuts at 100 deviations

OptimizerConfig decayed(const TemiHeadsOptions& o) {
  return {.kind = OptimizerKind::adamw, .weight_decay = o.weight_decay, .decay_all = false};
}

StateView joined(StateView a, const StateView& b) {
  a.parameters.insert(a.parameters.end(), b.parameters.begin(), b.parameters.end());
  return a;
}

}  // namespace

TemiHeads::TemiHeads(Context& ctx, int64_t dim, int clusters, const TemiHeadsOptions& options, uint64_t seed)
    : ctx_(ctx),
      clusters_(clusters),
      options_(options),
      prior_(ctx.full({options.heads, clusters}, 1.f / static_cast<float>(clusters))) {
  for (int h = 0; h < options.heads; ++h) {
    const std::string name = fmt::format("head.{}.", h);
    heads_.push_back(
        {.hidden = make_normal_linear(ctx, dim, options.hidden, kDeviation, seed, name + "hidden"),
         .neck = make_normal_linear(ctx, options.hidden, options.bottleneck, kDeviation, seed, name + "neck"),
         .last = make_linear(ctx, options.bottleneck, clusters, seed, name + "last").weight,
         .gain = {.value = ctx.full({clusters}, 1.f), .grad = {}}});
  }
  body_steps_.emplace(ctx, body().parameters, decayed(options));
  last_steps_.emplace(ctx, ends().parameters, decayed(options));
  body_average_.emplace(ctx, body_steps_->flat(), options.teacher_momentum);
  last_average_.emplace(ctx, last_steps_->flat(), options.teacher_momentum);
}

StateView TemiHeads::body() {
  StateView view;
  for (size_t h = 0; h < heads_.size(); ++h) {
    heads_[h].hidden.list(view, fmt::format("head.{}.hidden.", h));
    heads_[h].neck.list(view, fmt::format("head.{}.neck.", h));
  }
  return view;
}

StateView TemiHeads::ends() {
  StateView view;
  for (size_t h = 0; h < heads_.size(); ++h) {
    view.parameters.push_back({fmt::format("head.{}.last.weight_v", h), &heads_[h].last, true});
    view.parameters.push_back(
        {fmt::format("head.{}.last.weight_g", h), &heads_[h].gain, true});  // decayed, as [C, 1] there
  }
  return view;
}

StateView TemiHeads::state() { return joined(body(), ends()); }

void TemiHeads::swap_teacher() {
  body_average_->swap();
  last_average_->swap();
}

Var TemiHeads::logits(Tape& tape, Head& head, Var rows) {
  const Var neck = l2_normalize(tape, head.neck(tape, gelu(tape, head.hidden(tape, rows))));
  return linear(tape, neck, weight_norm(tape, tape.parameter(head.last), tape.parameter(head.gain)), {});
}

Tensor TemiHeads::teacher_logits(const Tensor& rows) {
  const int64_t n = rows.dim(0);
  Tensor out = ctx_.empty({static_cast<int64_t>(heads_.size()), n, clusters_});
  swap_teacher();
  for (size_t h = 0; h < heads_.size(); ++h) {
    Tape tape(ctx_, Tape::Mode::inference);
    out.part(static_cast<int64_t>(h), 1).copy_from(logits(tape, heads_[h], tape.constant(rows)).value());
  }
  swap_teacher();
  return out;
}

std::vector<float> TemiHeads::step(const Tensor& rows, float lr, Last last) {
  const Tensor teacher = teacher_logits(rows);
  for (Head& head : heads_) head.last.trainable = head.gain.trainable = last == Last::trained;
  body_steps_->zero_grad();
  last_steps_->zero_grad();
  // The heads' logits stand in one tensor, of which the loss gives the gradient, and they in turn their weights.
  Tape tape(ctx_), of_loss(ctx_);
  const Tensor all = ctx_.empty(teacher.shape());
  std::vector<std::pair<Var, Tensor>> gradients;
  for (size_t h = 0; h < heads_.size(); ++h) {
    gradients.emplace_back(logits(tape, heads_[h], tape.constant(rows)), Tensor());
    all.part(static_cast<int64_t>(h), 1).copy_from(gradients.back().first.value());
  }
  const Var student = of_loss.leaf(all);
  const TemiOut out = temi_loss(of_loss, student, teacher, prior_,
                                {.student_temperature = options_.temperature,
                                 .teacher_temperature = options_.temperature,
                                 .beta = options_.beta,
                                 .momentum = options_.prior_momentum});
  of_loss.backward(mean(of_loss, out.loss));
  for (size_t h = 0; h < heads_.size(); ++h)
    gradients[h].second = of_loss.grad(student).part(static_cast<int64_t>(h), 1).reshape({rows.dim(0), clusters_});
  tape.backward(gradients);
  body_steps_->step(lr);
  if (last == Last::trained) last_steps_->step(lr);
  body_average_->update();
  last_average_->update();
  return out.loss.value().to_host();
}

void TemiHeads::save(SafeTensors& file) {
  put_section(file, "student", save_state(state()));
  body_steps_->save(file, "optimizer.body/");
  last_steps_->save(file, "optimizer.last/");
  body_average_->save(file, "teacher.body/");
  last_average_->save(file, "teacher.last/");
  file.arrays["prior"] = to_array(prior_);
}

void TemiHeads::load(const SafeTensors& file) {
  load_state(state(), take_section(file, "student"));
  body_steps_->load(file, "optimizer.body/");
  last_steps_->load(file, "optimizer.last/");
  body_average_->load(file, "teacher.body/");
  last_average_->load(file, "teacher.last/");
  StrictReader reader(file, "checkpoint");
  const HostArray* prior = reader.expect("prior", "F32", prior_.shape());
  reader.finish("prior");
  from_array(*prior, prior_);
}

SafeTensors TemiHeads::teacher(int head) {
  SafeTensors out;
  Head& of = heads_[static_cast<size_t>(head)];
  swap_teacher();
  Tape tape(ctx_, Tape::Mode::inference);
  const Tensor weight =
      scale(tape, weight_norm(tape, tape.parameter(of.last), tape.parameter(of.gain)), 1 / options_.temperature)
          .value();
  for (const auto& [name, value] : {std::pair{"hidden.weight", of.hidden.weight.value},
                                    {"hidden.bias", of.hidden.bias.value},
                                    {"neck.weight", of.neck.weight.value},
                                    {"neck.bias", of.neck.bias.value},
                                    {"space.0.weight", weight}})
    out.arrays[name] = to_array(value);
  swap_teacher();
  out.arrays["space.0.bias"] = to_array(ctx_.zeros({clusters_}));
  return out;
}

}  // namespace kith
