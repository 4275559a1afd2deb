// What contracts say that their entries do on a device is what they do: launches, and bytes asked for beside those that must
// cross memory. The lines "// Counted" of kernels/*.h name both, NAME launches, times; the runner counts them at three sizes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>

#include "bench/study/simt/predict.h"

namespace kith::study {
namespace {

struct Promise {
  std::string launches;  // a number; "steps" where as many as the data ask for
  double times = 0;
  std::string size;  // times grows by one for each `each` of it; none: empty
  double each = 1;

  double most(const Sizes& s) const { return times + (size.empty() ? 0 : static_cast<double>(s[size]) / each); }
};

// "1, 3 + rows / 64" of one entry.
Promise parse(const std::string& text) {
  static const std::regex form(R"re(\s*(\d+|steps),\s*([\d.]+)(?: \+ (\w+)(?: / (\d+))?)?\s*)re");
  std::smatch m;
  check(std::regex_match(text, m, form), "not of the form 'launches, times + size / number': " + text);
  return {m[1].str(), std::stod(m[2].str()), m[3].str(), m[4].matched ? std::stod(m[4].str()) : 1};
}

std::map<std::string, Promise> promises() {
  std::map<std::string, Promise> all;
  for (const auto& file : std::filesystem::directory_iterator(std::string(KITH_CUDA_SOURCES) + "/..")) {
    if (file.path().extension() != ".h") continue;
    std::ifstream in(file.path());
    std::string text;
    bool counted = false;
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("//")) counted = false;
      if (counted) text += line.substr(2);
      if (line.starts_with("// Counted")) counted = true;
    }
    static const std::regex entry(R"re((\w+) ([^;]+);)re");
    for (std::sregex_iterator it(text.begin(), text.end(), entry), end; it != end; ++it)
      all[(*it)[1].str()] = parse((*it)[2].str());
  }
  return all;
}

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
  EXPECT_THROW(parse("one, 2"), Error);
  EXPECT_THROW(parse("1"), Error);
  EXPECT_EQ(parse("2, 1.5 + rows / 64").most({{"rows", 128}}), 3.5);
  EXPECT_EQ(parse("1, 2").most({{"rows", 128}}), 2);
}

}  // namespace
}  // namespace kith::study
