#include "scan/metrics/listed_likeness.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "kernels/core/parallel.h"

namespace kith {
namespace {

double inner(const float* a, const float* b, int64_t dim) {
  double sum = 0;
  for (int64_t d = 0; d < dim; ++d) sum += double{a[d]} * b[d];
  return sum;
}

// The other rows that a row lists.
std::vector<int64_t> listed(const Matrix<const int64_t>& lists, int64_t row) {
  std::vector<int64_t> out;
  for (const int64_t other : lists.row(row)) {
    if (other < 0) break;
    if (other != row) out.push_back(other);
  }
  return out;
}

// Cosines of rows first .. first + count - 1 with the rows that each lists, one after the other.
std::vector<std::vector<double>> cosines(const std::vector<std::vector<int64_t>>& others, int64_t first, int64_t dim,
                                         const RowsOf& rows) {
  const auto count = static_cast<int64_t>(others.size());
  std::vector<int64_t> index(others.size());
  std::iota(index.begin(), index.end(), first);
  std::vector<int64_t> start;
  for (const auto& of : others) {
    start.push_back(static_cast<int64_t>(index.size()));
    index.insert(index.end(), of.begin(), of.end());
  }
  std::vector<float> x(index.size() * static_cast<size_t>(dim));
  rows(index, x.data());
  std::vector<std::vector<double>> out(others.size());
  parallel_for(count, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* a = x.data() + i * dim;
      const double square = inner(a, a, dim);
      for (size_t j = 0; j < others[i].size(); ++j) {
        const float* b = x.data() + (start[i] + static_cast<int64_t>(j)) * dim;
        const double scale = std::sqrt(square * inner(b, b, dim));
        out[i].push_back(scale > 0 ? inner(a, b, dim) / scale : 0);
      }
    }
  });
  return out;
}

}  // namespace

ListedLikeness listed_likeness(const Matrix<const int64_t>& lists, int64_t dim, double least, const RowsOf& rows) {
  constexpr int64_t kNumbers = int64_t{1} << 22;  // of one part of the rows and those that it lists
  const int64_t part = std::max<int64_t>(1, kNumbers / ((lists.cols + 1) * dim));
  ListedLikeness out;
  out.mean.assign(static_cast<size_t>(lists.rows), std::numeric_limits<float>::quiet_NaN());
  for (int64_t first = 0; first < lists.rows; first += part) {
    std::vector<std::vector<int64_t>> others;
    for (int64_t i = first; i < std::min(first + part, lists.rows); ++i) others.push_back(listed(lists, i));
    const auto found = cosines(others, first, dim, rows);
    for (size_t i = 0; i < others.size(); ++i) {
      const int64_t row = first + static_cast<int64_t>(i);
      for (size_t j = 0; j < others[i].size(); ++j)
        if (found[i][j] >= least)
          out.near.push_back(
              {std::min(row, others[i][j]), std::max(row, others[i][j]), static_cast<float>(found[i][j])});
      if (!others[i].empty())
        out.mean[row] = static_cast<float>(std::accumulate(found[i].begin(), found[i].end(), 0.) /
                                           static_cast<double>(others[i].size()));
    }
  }
  std::ranges::sort(out.near);
  const auto repeated = std::ranges::unique(out.near);
  out.near.erase(repeated.begin(), repeated.end());
  return out;
}

std::vector<NearPair> exact_pairs(int64_t rows, const std::function<std::string(int64_t)>& digest_of) {
  std::unordered_map<std::string, int64_t> first;
  std::vector<NearPair> out;
  for (int64_t i = 0; i < rows; ++i)
    if (const auto [at, fresh] = first.emplace(digest_of(i), i); !fresh)
      out.push_back({.a = at->second, .b = i, .cosine = 1, .exact = true});
  return out;
}

NearGroups near_groups(std::span<const NearPair> pairs) {
  std::map<int64_t, int64_t> up;  // towards the first row of a group
  const auto root = [&](int64_t row) {
    while (up.at(row) != row) row = up[row] = up[up[row]];
    return row;
  };
  std::map<int64_t, NearGroups::Member> members;
  for (const NearPair& p : pairs) {
    for (const auto& [row, other] : {std::pair{p.a, p.b}, std::pair{p.b, p.a}}) {
      up.emplace(row, row);
      auto& m = members.try_emplace(row, NearGroups::Member{row, other, p.cosine, p.exact}).first->second;
      if (std::tuple(p.exact, p.cosine, -other) > std::tuple(m.exact, m.cosine, -m.nearest))
        m = {.row = row, .nearest = other, .cosine = p.cosine, .exact = p.exact};
    }
    const int64_t a = root(p.a), b = root(p.b);
    up[std::max(a, b)] = std::min(a, b);
  }
  std::map<int64_t, std::vector<NearGroups::Member>> groups;
  for (const auto& [row, member] : members) groups[root(row)].push_back(member);
  NearGroups out{.rows = static_cast<int64_t>(members.size()), .groups = {}};
  out.exact = std::ranges::count_if(members, [](const auto& m) { return m.second.exact; });
  for (auto& [first, group] : groups) out.groups.push_back(std::move(group));
  std::ranges::stable_sort(out.groups, [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return out;
}

std::vector<int64_t> least_rows(std::span<const float> value, float noise) {
  constexpr size_t kLeast = 20, kShare = 100;
  float greatest = -std::numeric_limits<float>::infinity();
  for (const float v : value)
    if (v > greatest) greatest = v;
  std::vector<int64_t> rows;
  for (size_t i = 0; i < value.size(); ++i)
    if (value[i] < greatest - noise) rows.push_back(static_cast<int64_t>(i));
  const size_t count = std::min(rows.size(), std::max(kLeast, value.size() / kShare));
  const auto before = [&](int64_t a, int64_t b) { return value[a] != value[b] ? value[a] < value[b] : a < b; };
  std::ranges::partial_sort(rows, rows.begin() + static_cast<int64_t>(count), before);
  rows.resize(count);
  return rows;
}

}  // namespace kith
