#include "scan/metrics/knn.h"

#include "scan/metrics/contingency.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using Ints = std::vector<int32_t>;
Context ctx;

TEST(KnnAccuracy, EqualsScikitLearns) {
  const SafeTensors file = golden("neighbours");
  const auto x = values<float>(file, "x"), x_test = values<float>(file, "x_test"), tau = values<float>(file, "tau");
  const auto y = values<int32_t>(file, "y"), y_test = values<int32_t>(file, "y_test"), k = values<int32_t>(file, "k");
  const Matrix<const float> train{x.data(), static_cast<int64_t>(y.size()), 8},
      test{x_test.data(), static_cast<int64_t>(y_test.size()), 8};
  for (size_t i = 0; i < k.size(); ++i)
    EXPECT_EQ(knn_accuracy(ctx, train, y, test, y_test, k[i], tau[i]), values<double>(file, "accuracy")[i])
        << "k " << k[i];
}

TEST(KnnAccuracy, TiesGoToTheLowestClassAndKIsCutToTheRows) {
  const std::vector<float> train = {1, 0, 1, 0, 0, 1}, test = {1, 0};
  const Matrix<const float> rows{train.data(), 3, 2}, query{test.data(), 1, 2};
  EXPECT_EQ(knn_accuracy(ctx, rows, Ints{2, 1, 0}, query, Ints{1}, 2, 0.1f), 1);  // equal votes for 1 and 2
  EXPECT_EQ(knn_accuracy(ctx, rows, Ints{2, 1, 0}, query, Ints{2}, 2, 0.1f), 0);
  EXPECT_EQ(knn_accuracy(ctx, rows, Ints{1, 1, 0}, query, Ints{1}, 200, 0.1f), 1);
  EXPECT_EQ(knn_accuracy(ctx, rows, Ints{1, 1, 0}, query, Ints{1}, 3, 1e-4f),
            1);  // exp(s / tau) alone would overflow
  EXPECT_EQ(knn_accuracy(ctx, rows, Ints{1, 1, 0}, query, Ints{7}, 3, 0.1f),
            0);  // a class that is not in the training split
  EXPECT_EQ(knn_accuracy(ctx, rows, Ints{1, 1, 0}, {test.data(), 0, 2}, {}, 3, 0.1f), 0);
}

TEST(KnnAccuracy, SeveralChunksOfQueries) {
  // 5,000 queries at whole degrees around a circle, two classes of training rows at 0 and 180 degrees.
  const std::vector<float> train = {1, 0, -1, 0};
  HostMatrix<float> test(5000, 2);
  Ints labels(5000);
  for (int64_t i = 0; i < 5000; ++i) {
    const double angle = (static_cast<double>(i % 360) + 0.5) * 3.14159265358979 / 180;
    test.view().row(i)[0] = static_cast<float>(std::cos(angle));
    test.view().row(i)[1] = static_cast<float>(std::sin(angle));
    labels[i] = std::cos(angle) < 0;
  }
  EXPECT_EQ(knn_accuracy(ctx, {train.data(), 2, 2}, Ints{0, 1}, test.view(), labels, 1, 0.1f), 1);
  for (int32_t& label : labels) label = 1 - label;
  EXPECT_EQ(knn_accuracy(ctx, {train.data(), 2, 2}, Ints{0, 1}, test.view(), labels, 1, 0.1f), 0);
}

TEST(KnnAccuracy, BadInputIsAnError) {
  const std::vector<float> x = {1, 0, 0, 1};
  const Matrix<const float> rows{x.data(), 2, 2};
  const Ints y = {0, 1};
  EXPECT_THROW(knn_accuracy(ctx, rows, Ints{0}, rows, y, 1, 0.1f), Error);
  EXPECT_THROW(knn_accuracy(ctx, rows, y, rows, Ints{0}, 1, 0.1f), Error);
  EXPECT_THROW(knn_accuracy(ctx, rows, Ints{0, -1}, rows, y, 1, 0.1f), Error);
  EXPECT_THROW(knn_accuracy(ctx, rows, y, rows, y, 0, 0.1f), Error);
  EXPECT_THROW(knn_accuracy(ctx, rows, y, rows, y, 1, 0), Error);
  EXPECT_THROW(knn_accuracy(ctx, {x.data(), 0, 2}, {}, rows, y, 1, 0.1f), Error);
}

TEST(NeighbourPurity, SkipsTheAnchorItself) {
  const Ints labels = {0, 0, 1, 1};
  const std::vector<int64_t> lists = {0, 1, 1, 2,
                                      2, 3, 3, 0};  // row 1 and 3: self and a stranger; 0 and 2: self and a friend
  EXPECT_DOUBLE_EQ(neighbour_purity({lists.data(), 4, 2}, labels), 0.5);
  const std::vector<int64_t> uneven = {1, 2, 1, 0, 2, 2, 3, 3};  // shares 1/2, 1, none, none
  EXPECT_DOUBLE_EQ(neighbour_purity({uneven.data(), 4, 2}, labels), 0.75);
  const std::vector<int64_t> self = {0, 1, 2, 3};
  EXPECT_EQ(neighbour_purity({self.data(), 4, 1}, labels), 0);
  std::vector<int64_t> shorter(lists.begin(), lists.end());  // the same with a third column of none
  for (int64_t row = 4; row > 0; --row) shorter.insert(shorter.begin() + 2 * row, -1);
  EXPECT_DOUBLE_EQ(neighbour_purity({shorter.data(), 4, 3}, labels), 0.5);
  EXPECT_THROW(neighbour_purity({lists.data(), 2, 4}, labels), Error);
  const std::vector<int64_t> outside = {4, 0, 0, 0};
  EXPECT_THROW(neighbour_purity({outside.data(), 4, 1}, labels), Error);
}

// Of the first K neighbours that are not the image itself; lists that end before count for the K that they have.
TEST(NeighbourPurity, OverKIsThatOfEveryPrefix) {
  const std::vector<int64_t> lists = {0, 1, 2, 3, /**/ 0, 2, 1, -1, /**/ 3, 0, -1, -1, /**/ -1, -1, -1, -1};
  const Ints labels = {0, 0, 1, 1};
  const std::vector<double> over_k = purity_over_k({lists.data(), 4, 4}, labels);
  ASSERT_EQ(over_k.size(), 3u);              // no list has four others
  EXPECT_EQ(over_k[0], (1. + 1. + 1.) / 3);  // 1 of 0, 0 of 1, 3 of 2
  EXPECT_EQ(over_k[1], (1. / 2 + 1. / 2 + 1. / 2) / 3);
  EXPECT_EQ(over_k[2], 1. / 3);
  EXPECT_EQ(neighbour_purity({lists.data(), 4, 4}, labels), (1. / 3 + 1. / 2 + 1. / 2) / 3);
  EXPECT_TRUE(purity_over_k({lists.data(), 4, 0}, labels).empty());
}

}  // namespace
}  // namespace kith::test
