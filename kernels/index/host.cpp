// Thrust's OpenMP system rather than its sequential one: its threads are those of kith and oneDNN, one pool of libgomp, so they
// are as many as --threads says, none inside of another's parallel part, and wait as nn/device/threads.h settles it. Stable sorts
// are the same for any number of threads. Thrust's reductions are cut by the machine's processors: of whole
// numbers alone.
#include <fmt/format.h>
#include <thrust/functional.h>
#include <thrust/gather.h>
#include <thrust/remove.h>
#include <thrust/system/omp/execution_policy.h>

#include <algorithm>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/index/groups.h"
#include "kernels/index/neighbour_graph.h"
#include "kernels/index/ordered.h"

namespace kith::kernels {
namespace {

using ordered::Whole;

// An end of an edge sees it as (row, column), packed so that numbers order like pairs.
constexpr int kRowBits = 31;
constexpr int64_t pack(int64_t row, int64_t column) { return row << kRowBits | column; }

struct IsNeighbour {
  bool operator()(int64_t j) const { return j >= 0; }
};

// What the table says at `place`, first of its row and then, as ~place, of the neighbour.
struct Sides {
  std::vector<int64_t> key, place;
};

Sides sides_of(Matrix<const int64_t> lists) {
  std::vector<int64_t> places(static_cast<size_t>(lists.size()));
  places.erase(
      thrust::copy_if(thrust::omp::par, Whole(0), Whole(lists.size()), lists.data, places.begin(), IsNeighbour{}),
      places.end());
  const auto listed = static_cast<int64_t>(places.size());
  Sides s{.key = std::vector<int64_t>(2 * places.size()), .place = std::vector<int64_t>(2 * places.size())};
  thrust::for_each(thrust::omp::par, Whole(0), Whole(listed), [&](int64_t e) {
    const int64_t i = places[e] / lists.cols, j = lists.data[places[e]];
    s.key[e] = pack(i, j), s.place[e] = places[e];
    s.key[listed + e] = pack(j, i), s.place[listed + e] = ~places[e];
  });
  thrust::stable_sort_by_key(thrust::omp::par, s.key.begin(), s.key.end(), s.place.begin());
  return s;
}

struct Edge {
  int64_t key = 0, own = NeighbourGraph::kNone, other = NeighbourGraph::kNone;
};

struct BeginsEdge {
  const int64_t* key;  // ascending
  bool operator()(int64_t i) const { return i == 0 || key[i] != key[i - 1]; }
};

std::vector<Edge> edges_of(const Sides& sides) {
  // Of each edge the first among the sides. OpenMP's thrust::unique_by_key reads outside of its keys.
  const auto count = static_cast<int64_t>(sides.key.size());
  std::vector<int64_t> first(sides.key.size());
  first.erase(thrust::copy_if(thrust::omp::par, Whole(0), Whole(count), first.begin(), BeginsEdge{sides.key.data()}),
              first.end());
  std::vector<Edge> edges(first.size());
  thrust::for_each(thrust::omp::par, Whole(0), Whole(static_cast<int64_t>(edges.size())), [&](int64_t e) {
    const size_t end = static_cast<size_t>(e) + 1 < first.size() ? first[e + 1] : sides.place.size();
    // The row's own places stand before those of the neighbour, either ascending.
    size_t at = first[e];
    Edge& edge = edges[e];
    edge.key = sides.key[at];
    if (sides.place[at] >= 0) edge.own = sides.place[at];
    while (at < end && sides.place[at] >= 0) ++at;
    if (at < end) edge.other = ~sides.place[at];
  });
  return edges;
}

struct IsOneSided {
  bool operator()(const Edge& e) const { return e.own == NeighbourGraph::kNone || e.other == NeighbourGraph::kNone; }
};
struct ByKey {
  bool operator()(const Edge& a, const Edge& b) const { return a.key < b.key; }
};

}  // namespace

Groups group_rows(std::span<const int32_t> labels, int64_t groups, std::span<const double> rank) {
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i] < -1 || labels[i] >= groups)
      throw Error(fmt::format("row {} has the label {}, expected -1 to {}", i, labels[i], groups - 1));
  check(rank.empty() || rank.size() == labels.size(),
        fmt::format("group_rows: {} labels but {} ranks", labels.size(), rank.size()));
  Groups out{.rows = std::vector<int64_t>(labels.size()),
             .starts = std::vector<int64_t>(static_cast<size_t>(groups) + 1)};
  std::vector<int32_t> own(labels.begin(), labels.end());
  thrust::copy(thrust::omp::par, Whole(0), Whole(static_cast<int64_t>(labels.size())), out.rows.begin());
  if (!rank.empty()) {
    std::vector<double> key(rank.begin(), rank.end());
    for (double& k : key) k += 0.0;  // both zeros are one rank, as they are not where bits are sorted
    thrust::stable_sort_by_key(thrust::omp::par, key.begin(), key.end(), out.rows.begin(), thrust::greater<double>());
    thrust::gather(thrust::omp::par, out.rows.begin(), out.rows.end(), labels.data(), own.begin());
  }
  ordered::by_label(thrust::omp::par, own.data(), out.rows.data(), static_cast<int64_t>(labels.size()), groups,
                    out.starts.data());
  return out;
}

NeighbourGraph neighbour_graph(Matrix<const int64_t> lists, GraphForm form) {
  check(lists.rows < int64_t{1} << kRowBits, fmt::format("neighbour_graph: {} rows", lists.rows));
  for (int64_t e = 0; e < lists.size(); ++e)
    if (lists.data[e] >= lists.rows)
      throw Error(fmt::format("row {} has the neighbour {} of {}", e / lists.cols, lists.data[e], lists.rows));
  std::vector<Edge> edges = edges_of(sides_of(lists));
  if (form == GraphForm::mutual)
    edges.erase(thrust::remove_if(thrust::omp::par, edges.begin(), edges.end(), IsOneSided{}), edges.end());
  NeighbourGraph g{.starts = std::vector<int64_t>(static_cast<size_t>(lists.rows) + 1),
                   .columns = std::vector<int64_t>(edges.size()),
                   .own = std::vector<int64_t>(edges.size()),
                   .other = std::vector<int64_t>(edges.size())};
  thrust::for_each(thrust::omp::par, Whole(0), Whole(static_cast<int64_t>(edges.size())), [&](int64_t e) {
    g.columns[e] = edges[e].key & (pack(1, 0) - 1), g.own[e] = edges[e].own, g.other[e] = edges[e].other;
  });
  thrust::for_each(thrust::omp::par, Whole(0), Whole(lists.rows + 1), [&](int64_t i) {
    g.starts[i] =
        thrust::lower_bound(thrust::seq, edges.begin(), edges.end(), Edge{.key = pack(i, 0)}, ByKey{}) - edges.begin();
  });
  return g;
}

}  // namespace kith::kernels
