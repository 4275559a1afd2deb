// kith_simt says "clean" of a kernel that is right, and of no other.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "bench/study/simt/study.h"
#include "kernels/elementwise.h"
#include "kernels/ntxent.h"
#include "tests/simt/faults.h"

namespace kith::study {
namespace {

struct Shown {
  int status;
  std::string out, err;
};

Shown shown(const Study& s, int orders = 2, bool as_json = false) {
  std::ostringstream out, err;
  const int status = show(s, s.sizes, simt::kA100, orders, as_json, out, err);
  return {status, out.str(), err.str()};
}

// What a study leaves in an array of its own that the entry left alone, on the device or on the CPU.
template <class T>
Study leaving(std::vector<T> device, std::vector<T> cpu) {
  return {"wrong", {{"count", 4}}, [=](const Sizes&, Queue q) {
            const OnDevice<float> x(filled(4, 1.f)), y(filled(4, 0.f));
            kernels::scale({.x = x.span(), .factor = 2.f, .y = y.span()}, q);
            const OnDevice<T> z(std::vector<T>(device.size()));
            std::ranges::copy(q.device == Device::cuda ? device : cpu, z.data());
            return Cost{1, 1};
          }};
}

TEST(Verify, EveryEntryIsClean) {
  for (const Study& s : studies()) {
    Sizes small = s.sizes;
    const auto& [name, n] = s.sizes.all().front();
    small.set(name, std::max<int64_t>(1, n / 4));
    const Result r = run_verified(s, small, simt::kA100, 2);
    EXPECT_TRUE(r.verdict->clean()) << s.name << ": " << r.verdict->line();
    EXPECT_GT(r.verdict->results.arrays, 0u) << s.name;
  }
}

// Choices that change the type, or what is stored.
TEST(Verify, ChoicesAreClean) {
  const auto expect_clean = [](const char* name, const std::vector<std::pair<const char*, int64_t>>& changes,
                               const simt::Described& device = simt::kA100) {
    Sizes sizes = study(name).sizes;
    for (const auto& [size, value] : changes) sizes.set(size, value);
    const Result r = run_verified(study(name), sizes, device, 1);
    EXPECT_TRUE(r.verdict->clean()) << name << ' ' << sizes.text() << ": " << r.verdict->line();
  };
  for (const int64_t bf16 : {0, 1}) {
    expect_clean("batch_norm_forward", {{"rows", 64}, {"residual", 1}, {"mask", 1}, {"bf16", bf16}});
    expect_clean("batch_norm_backward", {{"rows", 64}, {"residual", 1}, {"mask", 1}, {"bf16", bf16}});
    expect_clean("batch_norm_backward", {{"rows", 64}, {"from_x", 1}, {"bf16", bf16}});
    expect_clean("max_pool_forward", {{"images", 1}, {"channels", 8}, {"bf16", bf16}});
    expect_clean("sgd_step", {{"tensors", 1}, {"weights", 300}, {"bf16", bf16}});
    expect_clean("ntxent_backward", {{"rows", 128}, {"dim", 32}, {"bf16", bf16}});
    for (const int64_t policy : {0, 2}) expect_clean("augment", {{"images", 2}, {"policy", policy}, {"bf16", bf16}});
  }
  expect_clean("topk", {{"queries", 128}, {"database", 256}, {"k", 5}}, simt::kH100);
}

TEST(Verify, SaysWhatItLookedAt) {
  const Study& s = study("add");
  const std::string difference =
      "no fault; results are the CPU's \\(largest difference [0-9.e+-]+ of the largest value\\)\n$";
  std::ostringstream out, err;
  EXPECT_EQ(command({"--kernel", "add", "--size", "count=64"}, out, err), 0) << err.str();
  EXPECT_TRUE(std::regex_search(out.str(), std::regex("\nclean: 2 orders of threads, " + difference))) << out.str();
  EXPECT_NE(shown(s, 1).out.find("\nclean: 1 order of threads, no fault (whether results depend on the order: not "
                                 "looked at); results are the CPU's"),
            std::string::npos);
  const auto json = nlohmann::json::parse(shown(s, 3, true).out)["verdict"];
  EXPECT_EQ(json["clean"], true);
  EXPECT_EQ(json["orders"], 3);
  EXPECT_EQ(json["arrays"], 1);
  EXPECT_LE(json["largest_difference"], 1e-7);
  simt::options().races = false;
  const std::string without = shown(s).out;
  simt::options().races = true;
  EXPECT_EQ(without.find("clean"), std::string::npos) << without;
  EXPECT_NE(without.find("2 orders of threads, no fault (races: not looked for)"), std::string::npos) << without;
}

TEST(Verify, CountsAloneCompareNothing) {
  EXPECT_FALSE(run(study("add"), study("add").sizes).verdict);
  EXPECT_EQ(recorded(), nullptr);
  EXPECT_EQ(simt::options().orders, 1);
}

TEST(Verify, AWrongResultIsAnError) {
  const auto expect_difference = [](const Study& s, const std::string& text) {
    const Shown o = shown(s);
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.err, "kith_simt: wrong: array 3 " + text + "\n");
    EXPECT_EQ(o.out.find("clean"), std::string::npos);
    EXPECT_EQ(nlohmann::json::parse(shown(s, 2, true).out)["verdict"]["clean"], false);
  };
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  expect_difference(leaving<int64_t>({1, 5}, {1, 6}), "(int64): element 1 is 5, the CPU's 6");
  expect_difference(leaving<int64_t>({int64_t{1} << 60}, {(int64_t{1} << 60) + 1}),
                    "(int64): element 0 is 1152921504606846976, the CPU's 1152921504606846977");
  expect_difference(leaving<uint8_t>({0, 0}, {0, 200}), "(uint8): element 1 is 0, the CPU's 200");
  expect_difference(leaving<float>({1, 2}, {1, 2.0001f}), "(f32): element 1 is 2, the CPU's 2.0001");
  expect_difference(leaving<float>({nan, 2}, {1, 2}), "(f32): element 0 is nan, the CPU's 1");
  expect_difference(leaving<float>({1, 2}, {nan, 2}), "(f32): element 0 is 1, the CPU's nan");
  expect_difference(leaving<float>({inf, 2}, {-inf, 2}), "(f32): element 0 is inf, the CPU's -inf");
  expect_difference(leaving<float>({1e-30f}, {0}), "(f32): element 0 is 1e-30, the CPU's 0");
  expect_difference(leaving<bf16>({narrow(1.f)}, {narrow(1.02f)}), "(bf16): element 0 is 1, the CPU's 1.0234375");
}

TEST(Verify, RoundingIsNone) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(shown(leaving<float>({1.000001f, nan, 0}, {1, nan, 1e-7f})).status, 0);
  EXPECT_EQ(shown(leaving<bf16>({narrow(1.f)}, {narrow(1.005f)})).status, 0);
  const Shown o = shown(leaving<float>({2, 1}, {2, 1 + 0x1p-20f}));
  EXPECT_NE(o.out.find("(largest difference 4.8e-07 of the largest value)"), std::string::npos) << o.out;
  const Study& backward = study("contrastive_dkeys");
  Sizes f32 = backward.sizes;
  f32.set("bf16", 0);
  EXPECT_EQ(backward.tolerance(backward.sizes), kBf16);
  EXPECT_EQ(backward.tolerance(f32), kF32);
  EXPECT_EQ(study("contrastive_forward").tolerance(backward.sizes), kF32);
}

TEST(Verify, NamesWhatIsNotCompared) {
  const Study device_alone{"alone", {{"count", 4}}, [](const Sizes&, Queue q) {
                             if (q.device == Device::cpu) throw Error("no such entry");
                             return Cost{};
                           }};
  const Shown o = shown(device_alone);
  EXPECT_EQ(o.status, 0);
  EXPECT_NE(o.out.find("\n2 orders of threads, no fault; results are not compared: the CPU says: no such entry\n"),
            std::string::npos)
      << o.out;
  const Study idle{"idle", {{"count", 4}}, [](const Sizes&, Queue) {
                     const OnDevice<float> x(filled(4, 1.f));
                     return Cost{};
                   }};
  EXPECT_NE(shown(idle).out.find("results are not compared: neither the device nor the CPU wrote to an array"),
            std::string::npos);
  EXPECT_EQ(shown(idle).out.find("clean"), std::string::npos);
  const Study other{"other", {{"count", 4}}, [](const Sizes&, Queue q) {
                      const OnDevice<float> x(filled(4, q.device == Device::cpu ? 1.f : 2.f));
                      return Cost{};
                    }};
  EXPECT_EQ(shown(other).err, "kith_simt: other: array 1 (f32): the study does not make the same inputs on the CPU\n");
}

TEST(Verify, AFaultNamesKernelFileAndLine) {
  const auto expect_fault = [](void (*kernel)(const float*, float*, int), const std::string& text) {
    const Study s{"faulty", {{"count", 32}}, [=](const Sizes& sizes, Queue q) {
                    const OnDevice<float> in(filled(sizes["count"], 1.f)), out(filled(sizes["count"], 0.f));
                    if (q.device == Device::cuda) kernel(in.data(), out.data(), 32);
                    return Cost{};
                  }};
    const Shown o = shown(s, 1);
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.out, "");
    EXPECT_TRUE(std::regex_search(o.err, std::regex("^kith_simt: " + text + "\n$"))) << o.err;
    EXPECT_EQ(recorded(), nullptr);
  };
  using namespace simt_test;
  const std::string place = R"re(tests/simt/faults\.cu:\d+)re", line = R"( \()" + place + R"(\))";
  expect_fault(reverse_without_barrier, "reverse block .* thread .*shared byte.*" + line);
  expect_fault(out_of_bounds, "out_of_bounds.*byte 128 of a buffer of 128 bytes.*" + line);
  expect_fault([](const float*, float* out, int) { divergent_barrier(out); },
               "divergent block .*divergent barrier: waits at " + place + " while .* waits at " + place);
  expect_fault([](const float*, float* out, int) { shuffle_lane_never_comes(out); },
               "never_comes block .*__shfl_\\w+ \\(" + place + ", mask .*__syncthreads \\(" + place + ", mask .*");
}

// What orders alone show.
TEST(Verify, AResultOfChanceIsAFault) {
  const Study s{"chance", {{"count", 64}}, [](const Sizes& sizes, Queue q) {
                  const OnDevice<float> out(filled(sizes["count"], 0.f));
                  if (q.device == Device::cuda) simt_test::last_writer_wins(out.data());
                  return Cost{};
                }};
  const Shown o = shown(s);
  EXPECT_EQ(o.status, 1);
  EXPECT_NE(o.err.find("the result depends on the order of threads"), std::string::npos) << o.err;
}

}  // namespace
}  // namespace kith::study
