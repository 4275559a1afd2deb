// What contracts say that their entries do on a device is what they do: launches, and bytes asked for beside those that must
// cross memory. The lines "// Counted" of kernels/*.h name both, NAME launches, times; the runner counts them at three sizes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "bench/study/simt/contracts.h"

namespace kith::study {
namespace {

// The study's own sizes, and half and one and a half times the first of them.
std::vector<Sizes> three_sizes(const Study& s) {
  std::vector<Sizes> all(3, s.sizes);
  const auto& [name, n] = s.sizes.all().front();
  all[1].set(name, std::max<int64_t>(1, n / 2));
  all[2].set(name, n + n / 2);
  return all;
}

TEST(Contract, CountsAreWhatItSays) {
  const std::map<std::string, Promise> promised = promises();
  for (const Study& s : studies()) {
    const auto it = promised.find(s.name);
    ASSERT_NE(it, promised.end()) << s.name << " has no line '// Counted' in its contract";
    for (const Sizes& sizes : three_sizes(s)) {
      const Result r = run(s, sizes);
      const double times = static_cast<double>(sector_bytes(total(r))) / r.cost.bytes;
      if (it->second.launches != "steps") {
        EXPECT_EQ(fmt::format("{}", r.launches.size()), it->second.launches) << s.name << ' ' << sizes.text();
      }
      EXPECT_GE(r.launches.size(), 1u) << s.name << ' ' << sizes.text();
      // Each of the necessary bytes is asked for at least once.
      EXPECT_GE(times, 1) << s.name << ' ' << sizes.text();
      EXPECT_LE(times, it->second.most(sizes)) << s.name << ' ' << sizes.text();
    }
  }
}

TEST(Contract, NamesNoEntryThatIsNone) {
  for (const auto& [name, promise] : promises()) EXPECT_NO_THROW(study(name)) << name;
  EXPECT_THROW(parse_promise("one, 2"), Error);
  EXPECT_THROW(parse_promise("1"), Error);
  EXPECT_EQ(parse_promise("2, 1.5 + rows / 64").most({{"rows", 128}}), 3.5);
  EXPECT_EQ(parse_promise("1, 2").most({{"rows", 128}}), 2);
}

}  // namespace
}  // namespace kith::study
