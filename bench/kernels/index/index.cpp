// Index work (kernels/index), most of it Thrust's, each beside the plain loop on one thread that says the same. Sums by label are
// Thrust's on a GPU alone; counts of labels are nowhere: the loop that adds one is what kith has.
#include <algorithm>
#include <map>
#include <utility>

#include "bench/support.h"
#include "kernels/core/philox.h"
#include "kernels/index/groups.h"
#include "kernels/index/label_sums.h"
#include "kernels/index/neighbour_graph.h"

namespace kith {
namespace {

using Ints = std::vector<int64_t>;

std::vector<int32_t> labels_of(int64_t rows, int64_t groups) {
  Random random(7, 0, 0, 0);
  std::vector<int32_t> labels(static_cast<size_t>(rows));
  for (int32_t& l : labels) l = static_cast<int32_t>(random.below(static_cast<uint32_t>(groups)));
  return labels;
}
std::vector<double> ranks_of(int64_t rows) {
  Random random(8, 0, 0, 0);
  std::vector<double> ranks(static_cast<size_t>(rows));
  for (double& r : ranks) r = random.uniform(0.f, 1.f);
  return ranks;
}

testing::AssertionResult same(bool equal) {
  return equal ? testing::AssertionSuccess() : testing::AssertionFailure() << "another result than the plain loop's";
}

std::vector<Ints> plain_groups(const std::vector<int32_t>& labels, int64_t groups, const std::vector<double>& rank) {
  std::vector<Ints> out(static_cast<size_t>(groups));
  for (size_t i = 0; i < labels.size(); ++i) out[labels[i]].push_back(static_cast<int64_t>(i));
  for (Ints& of : out) std::ranges::stable_sort(of, [&](int64_t a, int64_t b) { return rank[a] > rank[b]; });
  return out;
}

enum class By : uint8_t { entry, loop };

void group_rows(benchmark::State& state, By by) {
  const int64_t rows = state.range(0), groups = state.range(1);
  const std::vector<int32_t> labels = labels_of(rows, groups);
  const std::vector<double> rank = ranks_of(rows);
  Ints joined;
  for (const Ints& of : plain_groups(labels, groups, rank)) joined.insert(joined.end(), of.begin(), of.end());
  const Cost cost{.flops = 0, .bytes = 20 * static_cast<double>(rows)};
  bench::run_verified(state, same(kernels::group_rows(labels, groups, rank).rows == joined), cost, [&] {
    if (by == By::entry)
      benchmark::DoNotOptimize(kernels::group_rows(labels, groups, rank));
    else
      benchmark::DoNotOptimize(plain_groups(labels, groups, rank));
  });
}

void label_counts(benchmark::State& state, By by) {
  const int64_t rows = state.range(0), groups = state.range(1);
  const std::vector<int32_t> labels = labels_of(rows, groups);
  const auto sorted = [&] {
    const Ints starts = kernels::group_rows(labels, groups).starts;
    Ints counts;
    for (int64_t g = 0; g < groups; ++g) counts.push_back(starts[g + 1] - starts[g]);
    return counts;
  };
  const auto plain = [&] {
    Ints counts(static_cast<size_t>(groups));
    for (const int32_t l : labels) ++counts[l];
    return counts;
  };
  bench::run_verified(state, same(sorted() == plain()), {.flops = 0, .bytes = 4 * static_cast<double>(rows)},
                      [&] { benchmark::DoNotOptimize(by == By::entry ? sorted() : plain()); });
}

void label_sums(benchmark::State& state, By by) {
  const int64_t rows = state.range(0), dim = state.range(1), groups = state.range(2);
  const std::vector<float> values = test::normal(rows * dim, {9});
  const std::vector<int32_t> labels = labels_of(rows, groups);
  const bench::Array<float> x(bench::memory(), values);
  const bench::Array<int32_t> own(bench::memory(), labels);
  const std::vector<double> zeros(static_cast<size_t>(groups * dim));
  const bench::Array<double> sums(bench::memory(), zeros);
  const bench::Array<int64_t> counts(bench::memory(), Ints(static_cast<size_t>(groups)));
  std::vector<double> want = zeros;
  const auto plain = [&] {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < dim; ++j) want[labels[i] * dim + j] += values[i * dim + j];
  };
  const auto call = [&] {
    kernels::add_label_sums(
        {.x = {x.data(), rows, dim}, .labels = own.span(), .sums = {sums.data(), groups, dim}, .counts = counts.span()},
        bench::queue());
  };
  plain();
  call();
  bench::run_verified(state, same(sums.to_host() == want), bench::cost(kernels::label_sums_cost, rows, dim, groups),
                      [&] {
                        if (by == By::entry)
                          call();
                        else
                          plain();
                      });
}

// Edges of the symmetric graph as the map's layout took them before: each pair once.
std::map<std::pair<int64_t, int64_t>, int64_t> plain_edges(const Ints& lists, int64_t rows, int64_t k) {
  std::map<std::pair<int64_t, int64_t>, int64_t> edges;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t n = 0; n < k; ++n) ++edges[std::minmax(i, lists[i * k + n])];
  return edges;
}

void neighbour_graph(benchmark::State& state, By by) {
  const int64_t rows = state.range(0), k = state.range(1);
  Random random(10, 0, 0, 0);
  Ints lists;
  for (int64_t i = 0; i < rows; ++i)  // k others
    for (int64_t n = 0, j = i; n < k; ++n)
      lists.push_back(j = (j + 1 + random.below(static_cast<uint32_t>(rows / (k + 1)))) % rows);
  const auto graph = [&] { return kernels::neighbour_graph({lists.data(), rows, k}, kernels::GraphForm::symmetric); };
  const auto edges = plain_edges(lists, rows, k).size();
  bench::run_verified(state, same(graph().columns.size() == 2 * edges),
                      {.flops = 0, .bytes = 8 * static_cast<double>(rows * k)}, [&] {
                        if (by == By::entry)
                          benchmark::DoNotOptimize(graph());
                        else
                          benchmark::DoNotOptimize(plain_edges(lists, rows, k));
                      });
}

using Function = void (*)(benchmark::State&, By);
struct Pair {
  bench::Entry entry, loop;
  Pair(const std::string& name, Function f, const bench::Sizes& sizes)
      : entry(
            name, [f](benchmark::State& s) { f(s, By::entry); }, sizes),
        loop(name + "_loop", [f](benchmark::State& s) { f(s, By::loop); }, {.names = sizes.names, .cpu = sizes.cpu}) {}
};
const Pair kGroups{
    "group_rows", group_rows, {.names = {"rows", "groups"}, .cpu = {{50000, 10}, {50000, 1000}, {1000000, 10}}}};
const Pair kCounts{"label_counts", label_counts, {.names = {"rows", "groups"}, .cpu = {{50000, 10}}}};
const Pair kSums{"label_sums",
                 label_sums,
                 {.names = {"rows", "dim", "groups"},
                  .cpu = {{50000, 128, 10}, {50000, 512, 10}, {50000, 512, 1000}},
                  .cuda = {{50000, 512, 10}, {50000, 512, 1000}},
                  .smoke = {{20, 65, 3}}}};
const Pair kGraph{"neighbour_graph", neighbour_graph, {.names = {"rows", "k"}, .cpu = {{10000, 15}, {50000, 20}}}};

}  // namespace
}  // namespace kith
