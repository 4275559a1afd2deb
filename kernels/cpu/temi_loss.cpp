// Tiles of 16 rows of one head (temi_loss_tiles.h); parts of 128 rows are one piece of work, and are summed in order.
#include "kernels/temi_loss.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/core/parallel.h"
#include "kernels/cpu/aligned.h"
#include "kernels/cpu/temi_loss_tiles.h"

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kPartRows = 128;  // rows of one head whose sums are taken together
constexpr float kPriorFloor = 0x1p-126f;

// f(unit, head, first row, last row) for parts of the rows of each head; unit = head * parts + part. `make` makes a thread's
// buffers.
template <class Make, class F>
void for_each_part(int64_t heads, int64_t rows, int64_t classes, Make&& make, F&& f) {
  const int64_t parts = ceil_div(rows, kPartRows);
  const int64_t grain = std::clamp<int64_t>((1 << 15) / (classes * std::min(rows, kPartRows)), 1, 64);
  parallel_for(heads * parts, grain, [&](int64_t begin, int64_t end) {
    auto buffers = make();
    for (int64_t u = begin; u < end; ++u) {
      const int64_t first = u % parts * kPartRows;
      f(u, u / parts, first, std::min(rows, first + kPartRows), buffers);
    }
  });
}

std::vector<float> log_priors(Matrix<const float> prior) {
  std::vector<float> out(prior.data, prior.data + prior.size());
  for (float& p : out) p = std::log(p < kPriorFloor ? kPriorFloor : p);
  return out;
}

// Student and teacher of one tile: s = z_s / student_temperature, y = beta (z_t / teacher_temperature + s) - log prior.
struct PairTile {
  AlignedVector<float> s, y;

  explicit PairTile(int64_t classes)
      : s(static_cast<size_t>(classes * kLanes)), y(static_cast<size_t>(classes * kLanes)) {}

  template <class A>
  void load_pair(const A& a, int64_t view, int64_t head, int64_t first, int64_t count, const float* log_prior) {
    load_tile(a.student.at(view, head, first), a.student.row, count, a.classes, 1 / a.student_temperature, s.data());
    load_tile(a.teacher.at(1 - view, head, first), a.teacher.row, count, a.classes, a.beta / a.teacher_temperature,
              y.data());
    float *sp = s.data(), *yp = y.data();
    for (int64_t c = 0; c < a.classes; ++c)
#pragma omp simd
      for (int64_t l = 0; l < kLanes; ++l) yp[c * kLanes + l] += a.beta * sp[c * kLanes + l] - log_prior[c];
  }
};

// q of the two views of one tile: sums of both are added to `sums` (a tile); the products' sums over classes come back.
struct TeacherTile {
  AlignedVector<float> views[2], sums;
  Lanes all[2];  // log sum exp

  explicit TeacherTile(int64_t classes) : sums(static_cast<size_t>(classes * kLanes)) {
    for (auto& v : views) v.resize(static_cast<size_t>(classes * kLanes));
  }

  Lanes add(const TemiTeacher<float>& a, int64_t head, int64_t first, int64_t count) {
    Lanes inverse[2], product{};
    for (int64_t v = 0; v < 2; ++v) {
      load_tile(a.teacher.at(v, head, first), a.teacher.row, count, a.classes, 1 / a.temperature, views[v].data());
      const Lanes max = largest(views[v].data(), a.classes), sum = exponentials(views[v].data(), a.classes, max);
      all[v] = log_sum(max, sum);
#pragma omp simd
      for (int64_t l = 0; l < kLanes; ++l) inverse[v].x[l] = l < count ? 1 / sum.x[l] : 0.f;
    }
    const float *e0 = views[0].data(), *e1 = views[1].data();
    float* total = sums.data();
    for (int64_t c = 0; c < a.classes; ++c)
#pragma omp simd
      for (int64_t l = 0; l < kLanes; ++l) {
        const float p = e0[c * kLanes + l] * inverse[0].x[l], q = e1[c * kLanes + l] * inverse[1].x[l];
        total[c * kLanes + l] += p + q;
        product.x[l] += p * q;
      }
    return product;
  }
};

}  // namespace

template <>
void temi_teacher(const TemiTeacher<float>& a) {
  const int64_t classes = a.classes, parts = ceil_div(a.rows, kPartRows);
  std::vector<float> partial(static_cast<size_t>(a.heads * parts * classes));
  std::vector<float> products(static_cast<size_t>(a.heads * a.rows));
  for_each_part(
      a.heads, a.rows, classes, [&] { return TeacherTile(classes); },
      [&](int64_t unit, int64_t head, int64_t begin, int64_t end, TeacherTile& tile) {
        std::ranges::fill(tile.sums, 0.f);
        for (int64_t first = begin; first < end; first += kLanes) {
          const int64_t count = std::min(kLanes, end - first), at = head * a.rows + first;
          const Lanes product = tile.add(a, head, first, count);
          std::copy_n(product.x, count, products.data() + at);
          for (int64_t v = 0; v < 2; ++v)
            std::copy_n(tile.all[v].x, count, a.log_sum.data() + v * a.heads * a.rows + at);
        }
        for (int64_t c = 0; c < classes; ++c) {
          float sum = 0;
#pragma omp simd
          for (int64_t l = 0; l < kLanes; ++l) sum += tile.sums[static_cast<size_t>(c * kLanes + l)];
          partial[static_cast<size_t>(unit * classes + c)] = sum;
        }
      });
  for (int64_t h = 0; h < a.heads; ++h)
    for (int64_t c = 0; c < classes; ++c) {
      double sum = 0;
      for (int64_t p = 0; p < parts; ++p) sum += double{partial[static_cast<size_t>((h * parts + p) * classes + c)]};
      float& prior = a.prior.row(h)[static_cast<size_t>(c)];
      const double mean = sum / (2 * static_cast<double>(a.rows));
      // Momentum 0 forgets what was there, be it NaN.
      prior = static_cast<float>((a.momentum > 0 ? double{a.momentum} * double{prior} : 0.) +
                                 (1 - double{a.momentum}) * mean);
    }
  for (int64_t i = 0; i < a.rows; ++i) {
    double sum = 0;
    for (int64_t h = 0; h < a.heads; ++h) sum += double{products[static_cast<size_t>(h * a.rows + i)]};
    a.weight[static_cast<size_t>(i)] = static_cast<float>(sum / static_cast<double>(a.heads));
  }
}

template <>
void temi_loss_forward(const TemiLossForward<float>& a) {
  const std::vector<float> log_prior = log_priors(a.prior);
  const int64_t parts = ceil_div(a.rows, kPartRows);
  std::vector<double> partial(static_cast<size_t>(a.heads * parts));
  for_each_part(
      a.heads, a.rows, a.classes, [&] { return PairTile(a.classes); },
      [&](int64_t unit, int64_t head, int64_t begin, int64_t end, PairTile& tile) {
        double total = 0;
        for (int64_t first = begin; first < end; first += kLanes)
          for (int64_t v = 0; v < 2; ++v) {
            const int64_t count = std::min(kLanes, end - first), at = (v * a.heads + head) * a.rows + first;
            tile.load_pair(a, v, head, first, count, log_prior.data() + head * a.classes);
            const Lanes max_s = largest(tile.s.data(), a.classes), max_y = largest(tile.y.data(), a.classes);
            const Lanes all = log_sum(max_s, exponentials(tile.s.data(), a.classes, max_s));
            const Lanes mass = log_sum(max_y, exponentials(tile.y.data(), a.classes, max_y));
            std::copy_n(all.x, count, a.log_sum.data() + at);
            std::copy_n(mass.x, count, a.log_mass.data() + at);
            const float* teacher = a.teacher_log_sum.data() + ((1 - v) * a.heads + head) * a.rows + first;
            for (int64_t l = 0; l < count; ++l)
              total += double{a.weight[static_cast<size_t>(first + l)]} *
                       (double{mass.x[l]} - double{a.beta} * (double{teacher[l]} + double{all.x[l]}));
          }
        partial[static_cast<size_t>(unit)] = total;
      });
  for (int64_t h = 0; h < a.heads; ++h) {
    double total = 0;
    for (int64_t p = 0; p < parts; ++p) total += partial[static_cast<size_t>(h * parts + p)];
    a.loss[static_cast<size_t>(h)] = static_cast<float>(-total / (2 * static_cast<double>(a.rows)));
  }
}

template <>
void temi_loss_backward(const TemiLossBackward<float>& a) {
  const std::vector<float> log_prior = log_priors(a.prior);
  const double share = -double{a.beta} / (2 * static_cast<double>(a.rows) * double{a.student_temperature});
  for_each_part(
      a.heads, a.rows, a.classes, [&] { return PairTile(a.classes); },
      [&](int64_t, int64_t head, int64_t begin, int64_t end, PairTile& tile) {
        const auto factor = static_cast<float>(share * double{a.dloss[static_cast<size_t>(head)]});
        for (int64_t first = begin; first < end; first += kLanes)
          for (int64_t v = 0; v < 2; ++v) {
            const int64_t count = std::min(kLanes, end - first), at = (v * a.heads + head) * a.rows + first;
            tile.load_pair(a, v, head, first, count, log_prior.data() + head * a.classes);
            Lanes all{}, mass{}, pull{};
            std::copy_n(a.log_sum.data() + at, count, all.x);
            std::copy_n(a.log_mass.data() + at, count, mass.x);
            for (int64_t l = 0; l < count; ++l) pull.x[l] = factor * a.weight[static_cast<size_t>(first + l)];
            const float* s = tile.s.data();
            float* y = tile.y.data();
            for (int64_t c = 0; c < a.classes; ++c)
#pragma omp simd
              for (int64_t l = 0; l < kLanes; ++l)
                y[c * kLanes + l] =
                    pull.x[l] * (exp_of(y[c * kLanes + l] - mass.x[l]) - exp_of(s[c * kLanes + l] - all.x[l]));
            store_tile(y, count, a.classes, a.write, a.dstudent.at(v, head, first), a.dstudent.row);
          }
      });
}

}  // namespace kith::kernels::cpu
