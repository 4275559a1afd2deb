// The definition in double, channel by channel, mean before variance: the oracle of the float backend.
#include <cmath>

#include "kernels/batch_norm.h"
#include "kernels/cpu/batch_norm_layout.h"

namespace kith::kernels::cpu {

template <>
void batch_norm_forward<double, double>(const BatchNormForward<double>& a) {
  const int64_t rows = a.x.rows, channels = a.x.cols;
  const double n = static_cast<double>(rows);
  for (int64_t c = 0; c < channels; ++c) {
    double mean = 0, var = 0;
    if (a.train && a.again) {
      mean = a.mean[c];
      var = 1 / (a.invstd[c] * a.invstd[c]) - a.eps;
    } else if (a.train) {
      for (int64_t r = 0; r < rows; ++r) mean += a.x.data[r * channels + c] / n;
      for (int64_t r = 0; r < rows; ++r) var += std::pow(a.x.data[r * channels + c] - mean, 2) / n;
      a.mean[c] = mean;
      a.invstd[c] = 1 / std::sqrt(var + a.eps);
      if (!a.running_mean.empty()) a.running_mean[c] = (1 - a.momentum) * a.running_mean[c] + a.momentum * mean;
      if (!a.running_var.empty())
        a.running_var[c] = (1 - a.momentum) * a.running_var[c] + a.momentum * var * n / (n - 1);
    } else {
      mean = a.running_mean[c];
      var = a.running_var[c];
    }
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t i = r * channels + c;
      const double residual = a.residual ? a.residual[i] : 0;
      const double u = a.gamma[c] * (a.x.data[i] - mean) / std::sqrt(var + a.eps) + a.beta[c] + residual;
      a.y.data[i] = a.relu && u < 0 ? 0 : u;
    }
  }
  if (!a.mask.empty()) write_mask<double>(a.y, a.mask);
}

template <>
void batch_norm_backward<double, double>(const BatchNormBackward<double>& a) {
  const int64_t rows = a.x.rows, channels = a.x.cols;
  const double n = static_cast<double>(rows);
  const auto put = [](double& out, double value, Write write) { out = write == Write::add ? out + value : value; };
  for (int64_t c = 0; c < channels; ++c) {
    const auto xhat = [&](int64_t i) { return (a.x.data[i] - a.mean[c]) * a.invstd[c]; };
    const auto d = [&](int64_t i) {
      const double y = !a.relu           ? 1
                       : !a.mask.empty() ? mask_bit(a.mask, i)
                       : a.y.data        ? a.y.data[i]
                                         : a.gamma[c] * xhat(i) + a.beta[c];
      return y > 0 ? a.dy.data[i] : 0;
    };
    double dbeta = 0, dgamma = 0;
    for (int64_t r = 0; r < rows; ++r) {
      dbeta += d(r * channels + c);
      dgamma += d(r * channels + c) * xhat(r * channels + c);
    }
    if (!a.dbeta.empty()) put(a.dbeta[c], dbeta, a.write_params);
    if (!a.dgamma.empty()) put(a.dgamma[c], dgamma, a.write_params);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t i = r * channels + c;
      const double di = d(i);
      if (a.dresidual) put(a.dresidual[i], di, a.write_residual);
      if (a.dx.data) put(a.dx.data[i], a.gamma[c] * a.invstd[c] * (di - dbeta / n - xhat(i) * dgamma / n), a.write_x);
    }
  }
}

}  // namespace kith::kernels::cpu
