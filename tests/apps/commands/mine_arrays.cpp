#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <tuple>

#include "tests/apps/commands/arrays.h"
#include "tests/nn/device/ranks.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

TEST_F(Arrays, MineFindsTheNearestByAngleWithoutAndWithSelf) {
  // Directions at 0, 10, 25 and 90 degrees, the second much longer than the others.
  std::vector<float> rows;
  const std::vector<std::pair<double, double>> polar = {{0, 1}, {10, 50}, {25, 1}, {90, 1}};
  for (const auto& [degrees, length] : polar) {
    rows.push_back(static_cast<float>(length * std::cos(degrees * 0.017453292519943295)));
    rows.push_back(static_cast<float>(length * std::sin(degrees * 0.017453292519943295)));
  }
  MineArrays options{.features = write("F.npy", rows, {4, 2}),
                     .k = 2,
                     .normalize = true,
                     .out = dir / "I.npy",
                     .scores = dir / "S.npy"};
  testing::internal::CaptureStderr();
  printed([&] { return mine_arrays(ctx, options); });
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  auto found = data::read_npy<int64_t>(dir / "I.npy");
  EXPECT_EQ(found.shape, (std::vector<int64_t>{4, 2}));
  EXPECT_EQ(found.values, (std::vector<int64_t>{1, 2, 0, 2, 1, 0, 2, 1}));
  const auto scores = data::read_npy<float>(dir / "S.npy");
  EXPECT_TRUE(close(std::vector<float>{scores.values[0]}, std::vector<double>{std::cos(10 * 0.017453292519943295)},
                    {.abs = 8 * kUnit}));

  options.include_self = true;
  options.k = 4;
  printed([&] { return mine_arrays(ctx, options); });
  found = data::read_npy<int64_t>(dir / "I.npy");
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(found.values[4 * i], i);

  // By inner product the long row is everybody's neighbour, and standard error says so.
  options.normalize = false;
  options.k = 1;
  testing::internal::CaptureStderr();
  printed([&] { return mine_arrays(ctx, options); });
  EXPECT_NE(testing::internal::GetCapturedStderr().find("rows have lengths 1 to 50"), std::string::npos);
  EXPECT_EQ(data::read_npy<int64_t>(dir / "I.npy").values, (std::vector<int64_t>{1, 1, 1, 1}));
}

TEST_F(Arrays, MineRefusesWhatItCannotSearch) {
  const path good = write<float>("F.npy", {1, 0, 0, 1}, {2, 2}), flat = write<float>("flat.npy", {1, 0}, {2});
  const path broken = write<float>("nan.npy", {1, 0, std::nanf(""), 1}, {2, 2});
  const auto error = [&](const path& file, int64_t k) {
    return message([&] { mine_arrays(ctx, {.features = file, .k = k, .out = dir / "I.npy", .scores = {}}); });
  };
  const auto error_into = [&](const path& out, const path& scores) {
    return message([&] { mine_arrays(ctx, {.features = good, .k = 1, .out = out, .scores = scores}); });
  };
  EXPECT_EQ(error_into(dir / "I", {}), "--out " + (dir / "I").string() + ": expected a name ending in .npy");
  EXPECT_EQ(error_into(dir / "I.npy", dir / "S.png"),
            "--scores " + (dir / "S.png").string() + ": expected a name ending in .npy");
  std::filesystem::create_directory(dir / "run");
  std::ofstream(dir / "run" / "config.toml").flush();
  const path own = write<float>("run/features_train.npy", {1}, {1, 1});
  EXPECT_EQ(error_into(own, {}),
            own.string() + ": is a file of a run, which is only read; give the output another name");
  EXPECT_EQ(error(flat, 1), flat.string() + ": shape [2]; expected [rows, dimensions]");
  EXPECT_EQ(error(broken, 1), broken.string() + ": value [1, 0] is nan; expected finite features");
  EXPECT_EQ(error(good, 2), good.string() + ": k is 2; expected 1..1 for 2 rows");
  const path empty = write<float>("empty.npy", {}, {0, 2});
  EXPECT_EQ(error(empty, 1), empty.string() + ": 0 rows; expected at least 2");
  EXPECT_NE(error(dir / "absent.npy", 1).find("absent.npy"), std::string::npos);
  const path nowhere = dir / "no" / "S.npy";
  EXPECT_EQ(message([&] { mine_arrays(ctx, {.features = good, .k = 1, .out = dir / "I.npy", .scores = nowhere}); }),
            nowhere.string() + ": cannot create: no such folder: " + nowhere.parent_path().string());
  EXPECT_FALSE(std::filesystem::exists(dir / "I.npy"));
}

// The k nearest of every row by angle, found in long double from differences of unit rows, in which nothing cancels.
std::vector<int64_t> nearest_by_angle(const std::vector<double>& values, int64_t rows, int64_t k) {
  const int64_t dim = static_cast<int64_t>(values.size()) / rows;
  std::vector<long double> unit(values.begin(), values.end());
  for (int64_t i = 0; i < rows; ++i) {
    long double square = 0;
    for (int64_t d = 0; d < dim; ++d) square += unit[i * dim + d] * unit[i * dim + d];
    for (int64_t d = 0; d < dim; ++d) unit[i * dim + d] /= std::sqrt(square);
  }
  std::vector<int64_t> lists;
  for (int64_t i = 0; i < rows; ++i) {
    std::vector<std::pair<long double, int64_t>> others;
    for (int64_t j = 0; j < rows; ++j) {
      long double distance = 0;
      for (int64_t d = 0; d < dim; ++d) {
        const long double difference = unit[i * dim + d] - unit[j * dim + d];
        distance += difference * difference;
      }
      if (j != i) others.emplace_back(distance, j);
    }
    std::sort(others.begin(), others.end());
    for (int64_t n = 0; n < k; ++n) lists.push_back(others[n].second);
  }
  return lists;
}

TEST_F(Arrays, MineNormalizesRowsOfEveryLength) {
  const HostMatrix<float> x = normal_rows(40, 12, Seed{1});
  const std::vector<int64_t> want = nearest_by_angle({x.values.begin(), x.values.end()}, 40, 5);
  const auto mined = [&](const path& file) {
    testing::internal::CaptureStderr();
    printed([&] {
      return mine_arrays(ctx, {.features = file, .k = 5, .normalize = true, .out = dir / "I.npy", .scores = {}});
    });
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    return data::read_npy<int64_t>(dir / "I.npy").values;
  };
  for (const double scale : {1e-13, 1e-36, 1e-60, 1e-290, 1e300}) {
    SCOPED_TRACE(scale);
    std::vector<double> rows(x.values.begin(), x.values.end());
    for (size_t i = 0; i < rows.size(); ++i) rows[i] *= i / 12 % 2 == 0 ? scale : 1;
    EXPECT_EQ(mined(write("F8.npy", rows, {40, 12})), want);
  }
  std::vector<float> rows = x.values;
  for (size_t i = 0; i < rows.size(); ++i) rows[i] *= i / 12 % 2 == 0 ? 1e-30f : 1;
  EXPECT_EQ(mined(write("F4.npy", rows, {40, 12})), want);
}

TEST_F(Arrays, MineFindsTheNearestByAngleInANarrowCone) {
  // Rows 1 + deviation: f32 products near 1 lose the differences of the angles, which are about the deviation squared.
  const HostMatrix<float> noise = normal_rows(120, 16, Seed{2});
  for (const float deviation : {1e-1f, 1e-2f, 1e-3f, 1e-4f}) {
    SCOPED_TRACE(deviation);
    std::vector<float> rows(noise.values);
    for (float& v : rows) v = 1 + deviation * v;
    printed([&] {
      return mine_arrays(ctx, {.features = write("F.npy", rows, {120, 16}),
                               .k = 5,
                               .normalize = true,
                               .out = dir / "I.npy",
                               .scores = dir / "S.npy"});
    });
    EXPECT_EQ(data::read_npy<int64_t>(dir / "I.npy").values, nearest_by_angle({rows.begin(), rows.end()}, 120, 5));
    // Of unit rows: 1 less about the squared deviation, the mean's part included.
    for (const float s : data::read_npy<float>(dir / "S.npy").values)
      EXPECT_NEAR(s, 1, 2 * deviation * deviation + kUnit);
  }
}

TEST_F(Arrays, MineSaysThatItBeginsOnceNothingWasRefused) {
  int accepted = 0;
  MineArrays options{.features = write<float>("nan.npy", {1, 0, std::nanf(""), 1}, {2, 2}),
                     .k = 1,
                     .out = dir / "I.npy",
                     .scores = {},
                     .accepted = [&] { ++accepted; }};
  EXPECT_NE(message([&] { mine_arrays(ctx, options); }), "");
  options.features = write<float>("F.npy", {1, 0, 0, 1}, {2, 2});
  options.k = 2;
  EXPECT_NE(message([&] { mine_arrays(ctx, options); }), "");
  EXPECT_EQ(accepted, 0);
  options.k = 1;
  printed([&] { return mine_arrays(ctx, options); });
  EXPECT_EQ(accepted, 1);
}

TEST_F(Arrays, MineNamesZeroRows) {
  const path file = write<float>("F.npy", {1, 0, 0, 0, 0, 1, 0, 0}, {4, 2});
  testing::internal::CaptureStderr();
  printed([&] {
    return mine_arrays(ctx, {.features = file, .k = 1, .normalize = true, .out = dir / "I.npy", .scores = {}});
  });
  EXPECT_NE(testing::internal::GetCapturedStderr().find("row 1 is zero, and 1 more: without a direction"),
            std::string::npos);
}

TEST_F(Arrays, MineStatesLengthsThatDiffer) {
  const auto warning = [&](std::vector<float> lengths) {
    std::vector<float> rows;
    float sign = 1;
    for (const float length : lengths) rows.insert(rows.end(), {.6f * length, (sign = -sign) * .8f * length});
    const path file = write("F.npy", rows, {static_cast<int64_t>(lengths.size()), 2});
    testing::internal::CaptureStderr();
    printed([&] { return mine_arrays(ctx, {.features = file, .k = 1, .out = dir / "I.npy", .scores = {}}); });
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(warning({2, 2, 2}), "");
  EXPECT_EQ(warning({1e-20f, 1e-20f}), "");
  EXPECT_NE(warning({3, 5, 4}).find("rows have lengths 3 to 5, so long rows attract"), std::string::npos);
  EXPECT_NE(warning({5, 0, 5}).find("rows have lengths 0 to 5,"), std::string::npos);
}

TEST_F(Arrays, MineStatesThatAllRowsAreEqual) {
  for (const bool normalize : {false, true}) {
    const path file = write<float>("F.npy", {1, 2, 1, 2, 1, 2}, {3, 2});
    testing::internal::CaptureStderr();
    printed([&] {
      return mine_arrays(ctx, {.features = file, .k = 1, .normalize = normalize, .out = dir / "I.npy", .scores = {}});
    });
    EXPECT_EQ(
        testing::internal::GetCapturedStderr(),
        "kith: warning: " + file.string() + ": all rows are equal: their neighbours are the rows in order of index\n");
  }
}

TEST_F(Arrays, MineSearchesRowsThatF32HoldsAndRefusesOthers) {
  const auto error = [&](const std::vector<double>& rows, const path& scores) {
    const path file = write("F.npy", rows, {3, 2});
    std::string text;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    text = message([&] { mine_arrays(ctx, {.features = file, .k = 2, .out = dir / "I.npy", .scores = scores}); });
    testing::internal::GetCapturedStdout();
    testing::internal::GetCapturedStderr();
    return text;
  };
  const auto lists = [&] { return data::read_npy<int64_t>(dir / "I.npy").values; };
  EXPECT_NE(error({1, 0, 0, 1e39, 1, 1}, {}).find("value [1, 1] is 1e+39, beyond the range of f32"), std::string::npos);
  EXPECT_NE(error({1, 0, 1e-60, 1e-50, 1, 1}, {}).find("row 1 has no element above 1e-50, too small"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(dir / "I.npy"));
  EXPECT_EQ(error({1, 1e-60, 1, 1, 2, 0}, {}), "");  // an element that f32 drops beside one that it holds
  // Products beyond f32's range rank all the same; as scores they cannot be written.
  const std::vector<double> large = {1e30, 0, 2e30, 0, 3e30, 0}, small = {1e-30, 0, 2e-30, 0, 3e-30, 0};
  EXPECT_EQ(error(large, {}), "");
  EXPECT_EQ(lists(), (std::vector<int64_t>{2, 1, 2, 0, 1, 0}));
  EXPECT_EQ(error(small, {}), "");
  EXPECT_EQ(lists(), (std::vector<int64_t>{2, 1, 2, 0, 1, 0}));
  EXPECT_NE(error(large, dir / "S.npy").find("an inner product of row 0 is beyond the range of f32"),
            std::string::npos);
  EXPECT_NE(error(small, dir / "S.npy").find("the inner product of rows 0 and 2 is too small for f32"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(dir / "S.npy"));
  // 1e-30 times 1 is a number of f32; of a row of zeros every product is 0.
  EXPECT_EQ(error({1e-30, 0, 1, 0, 2, 0}, dir / "S.npy"), "");
  EXPECT_EQ(data::read_npy<float>(dir / "S.npy").values, (std::vector<float>{2e-30f, 1e-30f, 2, 1e-30f, 2, 2e-30f}));
  EXPECT_EQ(error({0, 0, 1, 0, 2, 0}, dir / "S.npy"), "");
}

TEST_F(Arrays, MineSaysWhatRowsLoseInF32) {
  const path file = write<double>("F.npy", {1e9, 0, 1e9 + 1, 1, 1e9 + 2, 2}, {3, 2});
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  mine_arrays(ctx, {.features = file, .k = 2, .out = dir / "I.npy", .scores = {}});
  testing::internal::GetCapturedStdout();
  const std::string err = testing::internal::GetCapturedStderr();
  EXPECT_NE(err.find("in which 1 of 2 columns lose digits that tell rows apart (column 0: "), std::string::npos) << err;
}

TEST_F(Arrays, MineGivesTheSameBytesByAnyRanksAndBlocks) {
  const auto bytes_of = [](const path& file) {
    std::ifstream in(file, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  const HostMatrix<float> noise = normal_rows(150, 7, Seed{4});
  std::vector<float> spread = noise.values, cone = noise.values;
  for (float& v : cone) v = 1 + 1e-3f * v;  // the database less its mean
  for (const auto& [name, rows, normalize] :
       {std::tuple("as given", spread, false), std::tuple("by angle", spread, true), std::tuple("cone", cone, true)}) {
    SCOPED_TRACE(name);
    MineArrays options{
        .features = write("F.npy", rows, {150, 7}), .k = 6, .normalize = normalize, .out = {}, .scores = {}};
    const auto mined = [&](int ranks, int64_t block_rows) {
      options.out = dir / "I.npy", options.scores = dir / "S.npy", options.block_rows = block_rows;
      std::filesystem::remove(options.out), std::filesystem::remove(options.scores);
      testing::internal::CaptureStdout();
      testing::internal::CaptureStderr();
      on_thread_ranks(ranks, [&](const std::shared_ptr<Collective>& own) {
        Context each({.threads = 1, .collective = own});
        mine_arrays(each, options);
      });
      testing::internal::GetCapturedStderr();
      EXPECT_EQ(testing::internal::GetCapturedStdout(),
                "6 neighbours of each of 150 rows: " + options.out.string() + "\n");
      return bytes_of(options.out) + bytes_of(options.scores);
    };
    const std::string want = mined(1, 150);
    for (const int ranks : {1, 2, 3, 4})
      for (const int64_t block_rows : {0, 40, 9})
        EXPECT_TRUE(mined(ranks, block_rows) == want) << ranks << " " << block_rows;
  }
}

TEST_F(Arrays, MineRefusesOutputsThatWouldReplaceAFile) {
  const std::vector<float> rows = {1, 0, 0, 1};
  const path file = write("F.npy", rows, {2, 2}), other = dir / "I.npy";
  std::filesystem::create_symlink("F.npy", dir / "soft.npy");
  std::filesystem::create_hard_link(file, dir / "hard.npy");
  std::filesystem::create_directory(dir / "folder.npy");
  std::filesystem::create_directory_symlink(dir, dir / "here");
  const auto error = [&](const path& features, const path& out, const path& scores) {
    return message([&] { mine_arrays(ctx, {.features = features, .k = 1, .out = out, .scores = scores}); });
  };
  for (const path& name : {file, dir / "." / "F.npy", dir / "soft.npy", dir / "hard.npy", dir / "here" / "F.npy"}) {
    EXPECT_NE(error(file, name, {}).find("would replace the features"), std::string::npos) << name;
    EXPECT_NE(error(name, other, file).find("would replace the features"), std::string::npos) << name;
  }
  // The file that a write fills first.
  EXPECT_NE(error(write("I.npy.partial", rows, {2, 2}), other, {}).find("would replace the features"),
            std::string::npos);
  for (const path& scores : {other, dir / "." / "I.npy", dir / "here" / "I.npy"})
    EXPECT_NE(error(file, other, scores).find("--out and --scores are one file"), std::string::npos) << scores;
  EXPECT_NE(error(file, dir / "folder.npy", {}).find("a folder has this name"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(other));
  EXPECT_EQ(data::read_npy<float>(file).values, rows);
}

}  // namespace
}  // namespace kith::test
