// Where the heads of the cluster stage begin (cluster.init), and the temperature of their logits.
//
//   random  drawn as every linear map
//   kmeans  the prototypes of a k-means with a seed of the head's own (as CDC starts its heads: Zhu et al., ICLR 2025): for centres
//           m_c of features x, logit_c = (<m_c, x> - |m_c|^2 / 2) / v, whose largest is that of the nearest centre. v is the mean
//           squared distance of a row to its centre: logits of neighbouring clusters then differ by about 1, and can still change
#pragma once
#include <functional>

#include "scan/stages/cluster.h"
#include "scan/stages/models.h"

namespace kith {

// `rows` [n, features]: those of the un-augmented train images as the heads will see them; asked for where they are needed. Error:
// fewer images than clusters; features that are not finite.
void start_heads(const ClusterTask&, ClusterModel&, const std::function<Tensor()>& rows);

// Logits of all heads [heads, rows, classes], divided by cluster.temperature.
Var cluster_logits(const ClusterTask&, ClusterModel&, Tape&, Var features);

// Heads whose logits are those at the temperature. Nothing changes where it is 1.
void put_temperature_into(SafeTensors& heads, float temperature);

}  // namespace kith
