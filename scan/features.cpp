#include "scan/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "kernels/topk.h"
#include "nn/array.h"

namespace kith {
namespace {
constexpr int64_t kInferenceBatch = 256;
}

Tensor infer(const Views& views, const Reporter& report, const std::function<Var(Tape&, Var)>& net, uint32_t view) {
  Context& ctx = views.context();
  const int64_t count = views.images().count;
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto batch = [&](std::span<const int64_t> of, int64_t n) {
    const int64_t first = n * kInferenceBatch;
    return of.subspan(static_cast<size_t>(first), static_cast<size_t>(std::min(kInferenceBatch, count - first)));
  };
  const int64_t batches = (count + kInferenceBatch - 1) / kInferenceBatch;
  const Array<int64_t> index(ctx, numbers);
  std::optional<ImageStream> stream;
  if (count > 0 && resident_pixels(ctx, views.images()) == nullptr) {
    stream.emplace(ctx, views.images(), std::min(kInferenceBatch, count));
    stream->begin(0, batches, [&](int64_t n) { return batch(numbers, n); });
  }
  Tensor all;
  for (int64_t n = 0; n < batches; ++n) {
    if (report.stop_requested()) throw Interrupted{};
    const Section section(ctx, "inference batch", batches > 1 ? 1 : 0);
    const Tensor images = views({batch(index.span(), n), stream ? stream->next() : nullptr}, 0, 1, view);
    if (stream) stream->used();
    Tape tape(ctx, Tape::Mode::inference);
    const Tensor out = net(tape, tape.constant(images)).value();
    if (all.empty()) all = ctx.empty({count, out.dim(-1)});
    all.copy_rows_from(n * kInferenceBatch, out);
  }
  check(!all.empty(), "infer: no images");
  return all;
}

data::Array<float> read_features(const Session& s, const std::string& split, int64_t rows) {
  const std::filesystem::path path = s.dir / ("features_" + split + ".npy");
  if (!std::filesystem::exists(path))
    throw Error(fmt::format("{}: missing; run the pretext stage first", path.string()));
  data::Array<float> features = data::read_npy<float>(path);
  if (features.shape.size() != 2 || features.shape[0] != rows)
    throw Error(fmt::format("{}: {} rows of features expected, one per {} image; found shape {}", path.string(), rows,
                            split, to_string(features.shape)));
  return features;
}

std::vector<int32_t> argmax_rows(const Matrix<const float>& rows) {
  std::vector<int32_t> best(static_cast<size_t>(rows.rows));
  for (int64_t i = 0; i < rows.rows; ++i) {
    const auto row = rows.row(i);
    best[i] = static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
  }
  return best;
}

std::vector<float> confidence_of(const Matrix<const float>& rows, std::span<const int32_t> assignments) {
  check(rows.rows == static_cast<int64_t>(assignments.size()), "confidence_of: one row per assignment expected");
  std::vector<float> values(assignments.size());
  for (int64_t i = 0; i < rows.rows; ++i) values[i] = rows.row(i)[assignments[i]];
  return values;
}

Rows rows_of(const Tensor& t) {
  const int64_t cols = t.dim(-1);
  return {.values = t.to_host(), .rows = t.size() / std::max<int64_t>(cols, 1), .cols = cols};
}

}  // namespace kith
