// Images that stay on the host and come to the device step by step: every number is that of images that lie on it.
#include <atomic>
#include <nlohmann/json.hpp>
#include <numeric>

#include "scan/input/image_stream.h"
#include "scan/train/inference.h"
#include "tests/scan/stages/cuda/support.h"

namespace kith::test {
namespace {

// 3 steps an epoch, the last image left out: some eager, one captured, some replayed, and an odd number of them, so that the
// epochs begin behind either slot.
RunConfig streamed_config() {
  RunConfig c = tiny_config();
  for (TrainConfig* t : {&c.pretext.train, &c.cluster.train, &c.selflabel.train}) t->batch = 2, t->epochs = 2;
  c.cluster.heads = 2;
  return c;
}

data::Dataset images() { return striped_data(3, 7, 4); }

struct Way {
  Residency images;
  bool graphs = true;
  bool recompute = false;

  ContextOptions options() const {
    ContextOptions o = on_cuda();
    o.graphs = graphs;
    o.recompute = recompute;
    return o;
  }
};

// What a run leaves: log lines without times, and files.
struct Outcome {
  std::vector<nlohmann::json> lines;
  std::map<std::string, std::string> files;
  std::vector<std::string> notes;

  bool noted(const std::string& part) const {
    return std::ranges::any_of(notes, [&](const std::string& n) { return n.find(part) != std::string::npos; });
  }
};

using Stage = std::function<void(Session&)>;

// Runs the stages in `folder`, interrupted after every `stop_after` steps.
Outcome outcome_of(const Way& way, const Folder& folder, const std::vector<Stage>& stages,
                   int64_t stop_after = std::numeric_limits<int64_t>::max()) {
  const data::Dataset data = images();
  const RunConfig config = streamed_config();
  Outcome out;
  for (const Stage& stage : stages)
    for (bool done = false; !done;) {
      Recorder report;
      report.stop_after = stop_after;
      Context ctx(way.options());
      Session session{ctx, config, data, folder.path(), report, way.images};
      try {
        stage(session);
        done = true;
      } catch (const Interrupted&) {
      }
      for (nlohmann::json line : report.lines) {
        for (const char* time : {"seconds", "images_per_second"}) line.erase(time);
        out.lines.push_back(std::move(line));
      }
      out.notes.insert(out.notes.end(), report.notes.begin(), report.notes.end());
    }
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (const auto kind = entry.path().extension(); kind == ".npy" || kind == ".safetensors")
      out.files[entry.path().filename()] = bytes_of(entry.path());
  return out;
}

void expect_same(const Outcome& got, const Outcome& want) {
  EXPECT_EQ(got.lines, want.lines);
  ASSERT_EQ(got.files.size(), want.files.size());
  for (const auto& [name, bytes] : want.files) EXPECT_TRUE(got.files.at(name) == bytes) << name << " differs";
}

class StreamingCuda : public OnCuda {};

TEST_F(StreamingCuda, EveryStageIsTheResidentOneBitForBit) {
  const Folder a("streaming_resident"), b("streaming_streamed");
  const std::vector<Stage> stages = {pretext, mine, cluster, selflabel, [](Session& s) { evaluate(s); }};
  const Outcome resident = outcome_of({Residency::device}, a, stages);
  const Outcome streamed = outcome_of({Residency::host}, b, stages);
  EXPECT_EQ(resident.lines.size(), 13u);
  EXPECT_EQ(resident.files.size(), 11u);
  expect_same(streamed, resident);
  EXPECT_FALSE(resident.noted("streamed"));
  for (const char* stage : {"pretext", "cluster", "selflabel"})
    EXPECT_TRUE(streamed.noted(std::string(stage) + ": the images are streamed"));
}

TEST_F(StreamingCuda, NormalisationsMayBeComputedAgainBitForBit) {
  const Folder a("kept"), b("recomputed");
  const std::vector<Stage> stages = {pretext, mine, cluster};
  expect_same(outcome_of({.images = Residency::device, .recompute = true}, b, stages),
              outcome_of({Residency::device}, a, stages));
}

TEST_F(StreamingCuda, WithoutGraphsAndInterruptedInTheMiddleOfEpochs) {
  const Folder a("streaming_whole"), b("streaming_eager"), c("streaming_parts");
  const Outcome whole = outcome_of({Residency::device}, a, {pretext});
  expect_same(outcome_of({Residency::host, false}, b, {pretext}), whole);
  Outcome parts = outcome_of({Residency::host}, c, {pretext}, 2);
  EXPECT_TRUE(parts.noted("continues in epoch 1 after step 2"));
  EXPECT_TRUE(parts.noted("continues in epoch 2 after step 1"));
  expect_same(parts, whole);
}

TEST_F(StreamingCuda, InferenceGoesThroughAllBatchesInOrder) {
  const data::Dataset data = striped_data(3, 3 * 256 + 5, 3);
  const auto pixels = [&](Residency residency) {
    Context ctx(on_cuda());
    Recorder report;
    const ImageSource images(ctx, data.train(), residency);
    return infer(Views(images, data), report,
                 [](Tape& tape, Var x) {
                   return tape.constant(x.value().reshape({x.value().dim(0), 9 * 8 * 3}));
                 })
        .to_host();
  };
  EXPECT_EQ(pixels(Residency::host), pixels(Residency::device));
}

#ifdef KITH_SIMT
// 20,000 images are 4.1 MiB; a step of 2 needs about as much.
TEST_F(StreamingCuda, WhatWouldTakeMoreThanHalfOfTheMemoryIsStreamed) {
  const data::Dataset data = striped_data(3, 20'000, 5);
  const RunConfig config = streamed_config();
  const Folder folder("streaming_auto");
  const auto begun = [&](Residency images, size_t mib) {  // the first note
    simt::options().memory_limit = mib << 20;
    std::filesystem::remove_all(folder.path());
    std::filesystem::create_directories(folder.path());
    Recorder report;
    report.stop_after = 1;
    Context ctx(on_cuda());
    Session session{ctx, config, data, folder.path(), report, images};
    try {
      pretext(session);
    } catch (const Interrupted&) {
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return report.notes.at(0);
  };
  EXPECT_EQ(begun(Residency::automatic, 8), "pretext: the images are streamed, 4.1 MiB");
  EXPECT_EQ(begun(Residency::automatic, 12).find("pretext: stopped after"), 0u);
  EXPECT_EQ(begun(Residency::device, 12).find("pretext: stopped after"), 0u);
  const std::string line = begun(Residency::device, 3);
  EXPECT_TRUE(line.starts_with("out of device memory: ")) << line;
  EXPECT_TRUE(line.ends_with("; --stream yes leaves the images on the host")) << line;
}

// The first thing that evaluation does; what comes next may find no room here.
TEST_F(StreamingCuda, KMeansOnPixelsIsLeftOutWhereTheyHaveNoRoom) {
  const data::Dataset data = images();
  const RunConfig config = streamed_config();
  const Folder folder("streaming_pixels");
  outcome_of({Residency::device}, folder, {[](Session& s) { run(s); }});
  for (const bool room : {true, false}) {
    Recorder report;
    Context ctx(on_cuda());
    Session session{ctx, config, data, folder.path(), report};
    if (!room) simt::options().memory_limit = 2 * (7 + 4) * 9 * 8 * 3 * sizeof(float) - 1;
    try {
      evaluate(session);
    } catch (const OutOfMemory&) {
      EXPECT_FALSE(room);
    }
    EXPECT_EQ(report.notes.empty() ? "" : report.notes[0],
              room ? "" : "evaluate: no k-means on pixels, which would take 0.0 GiB of the device's memory");
  }
}
#endif

class ImageStreamCuda : public OnCuda {
 protected:
  const data::Images images = striped(7, 1, 3);
  const int64_t image_bytes = images.image_bytes();
};

TEST_F(ImageStreamCuda, BringsEpochAfterEpochFromAnyBatchOn) {
  Context ctx(on_cuda());
  const ImageSource source(ctx, images, Residency::host);
  const std::vector<int64_t> order = {4, 0, 4, 6, 5, 2, 3, 3, 1, 6, 5};
  std::atomic<int64_t> taken = 0;  // batches that next() was called for
  const auto list = [&](int64_t n) {
    EXPECT_LT(n, taken + Staging::kSlots) << "gathered into a slot that is not free yet";
    return std::span(order).subspan(static_cast<size_t>(3 * n), std::min<size_t>(3, order.size() - 3 * n));
  };
  ImageStream stream(source, 3);
  for (const int64_t first : {0, 1, 3, 4, 0}) {  // four batches, the last of two images
    taken = first;
    stream.begin(first, 4, list);
    for (int64_t n = first; n < 4; ++n) {
      ++taken;
      const uint8_t* at = stream.next();
      EXPECT_EQ(at, stream.data() + stream.offset(n));
      const Array<uint8_t> copy(ctx, static_cast<int64_t>(list(n).size()) * image_bytes);
      ctx.copy(copy.data(), at, copy.span().size());
      stream.used();
      std::vector<uint8_t> want;
      for (const int64_t i : list(n))
        want.insert(want.end(), images.pixels.begin() + i * image_bytes, images.pixels.begin() + (i + 1) * image_bytes);
      EXPECT_EQ(copy.to_host(), want) << "batch " << n;
    }
    EXPECT_EQ(error_of([&] { stream.next(); }).find("ImageStream: no batch is left"), 0u);
  }
}

TEST_F(ImageStreamCuda, ErrorsOfTheGatheringThreadReachTheOther) {
  Context ctx(on_cuda());
  const ImageSource source(ctx, images, Residency::host);
  ImageStream stream(source, 2);
  const std::vector<int64_t> good = {1, 2}, bad = {3, 7};
  stream.begin(0, 4, [&](int64_t n) { return std::span(n == 1 ? bad : good); });
  stream.next();
  stream.used();
  EXPECT_EQ(error_of([&] { stream.next(); }).find("image 7 wanted, but there are 7"), 0u);
  EXPECT_EQ(error_of([&] { stream.begin(0, 1, {}); }).find("ImageStream: batches begin while earlier ones are left"),
            0u);
}

TEST_F(ImageStreamCuda, MayEndWithBatchesLeft) {
  Context ctx(on_cuda());
  const ImageSource source(ctx, images, Residency::host);
  const std::vector<int64_t> list = {1, 2};
  for (int taken = 0; taken < 3; ++taken) {
    ImageStream stream(source, 2);
    stream.begin(0, 100, [&](int64_t) { return std::span(list); });
    for (int n = 0; n < taken; ++n) stream.next(), stream.used();
  }
}

}  // namespace
}  // namespace kith::test
