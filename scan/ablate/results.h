// What a grid of runs came to: per setting the mean and the standard deviation of each figure over its seeds.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scan/ablate/grid.h"

namespace kith {

// A figure of a finished run.
struct Figure {
  const char* key;     // "scan_acc", in table.csv
  const char* title;   // "SCAN ACC", in tables for people
  bool share = true;   // of 1; people read per cent
  bool ranked = true;  // false: more of it is not better, and no best one is marked
};

struct Spread {
  std::vector<double> values;  // of the seeds that have it, in their order
  double mean = 0;
  std::optional<double> deviation = {};  // n - 1 in the denominator; from two values on
};

struct GridResults {
  // Those that any run has; many-to-one ACC only where a run of the grid has not as many clusters as classes; those that need no
  // labels only where a run was scored without.
  std::vector<Figure> figures;
  std::vector<std::vector<Spread>> of;                        // [settings][figures]
  std::vector<int> finished, wanted;                          // runs of each setting
  const Spread* find(size_t setting, const char* key) const;  // nullptr where there is no value
};

// Figures of one summary.json: purity of the train images' neighbours, k-NN, ACC of k-means on the features, ACC NMI ARI of SCAN and of
// self-labelling, ACC also many-to-one; mean confidence, silhouette and agreement of the heads; clusters in use at the end. None of
// those that need labels without them.
std::vector<std::pair<Figure, double>> figures_of(const nlohmann::json& summary);

// What clusters of the same sizes have by chance, ACC (or many-to-one ACC): the least and the largest of the runs that say it.
std::optional<std::pair<double, double>> chance_accuracy(const std::vector<nlohmann::json>& summaries,
                                                         const char* figure);

// `summaries`: of each cell; null where it has not finished.
// `agreement`: of each setting, how far its seeds' clusterings of the scored split agree (scan/metrics/agreement.h), where that
// is known: a figure of one value, "agreement".
GridResults collect(const Grid&, const std::vector<nlohmann::json>& summaries,
                    const std::vector<std::optional<double>>& agreement = {});

// What no summary says: how far the clusterings agree that the runs of a setting wrote (assignments.npy). `runs`: the directory of
// each cell; empty where it has not finished. None where they are not of equally many images.
std::vector<std::optional<double>> agreement_of_seeds(const Grid&, const std::vector<std::filesystem::path>& runs);

// The columns of the grid, the number of finished runs, then KEY_mean and KEY_std of each figure, as they are; RFC 4180.
std::string to_csv(const Grid&, const GridResults&);
std::string to_markdown(const Grid&, const GridResults&);
// A column for each of up to four settings, which a screen of 80 columns holds; a row for each of more.
std::string to_text(const Grid&, const GridResults&);
std::string to_latex(const Grid&, const GridResults&);  // a tabular for the package booktabs

std::string spread_text(const Figure&, const Spread&);  // "35.8+-1.4"; "-" without a value

}  // namespace kith
