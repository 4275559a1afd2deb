// Running statistics of batch norm in a stage that trains: the effect of a pass on them, and their re-estimation. The modes are those of
// Statistics, scan/config/config.h.
#pragma once
#include <optional>

#include "nn/model/resnet.h"
#include "scan/run/session.h"

namespace kith {

enum class PassOf : uint8_t { plain, augmented };  // of un-augmented or of augmented views, in train mode

// How far such a pass moves the running statistics towards those of its batch, as ResNet takes it.
std::optional<float> momentum_of(Statistics, PassOf);

// Running statistics of the un-augmented train images for the weights as they are. Each normalisation gets the mean of its
// batches' means and (unbiased) variances, a batch weighted by its images:
//   r_0 = s_0;  r_b = (1 - m_b) r_{b-1} + m_b s_b,  m_b = n_b / (n_0 + ... + n_b)
// Batches are equal but for one image, of at most 256 images and at least 2, in an order drawn from the seed (files are often
// sorted by class). What the running statistics were has no part in it: weights and seed decide, on each device to the bit.
// Cost: a forward pass over the train split. Throws Interrupted when asked to stop.
// Wu & Johnson 2021, arXiv:2105.07576, section 3 (PreciseBN); torch.optim.swa_utils.update_bn, which weights no batch.
void reestimate(const Session&, ResNet&);

// True if all parameters of the model equal those of `before` bit for bit: nothing was learned.
bool same_parameters(const StateView&, const SafeTensors& before);

}  // namespace kith
