#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <ostream>

#include "bench/study/simt/contracts.h"
#include "bench/study/simt/predict.h"

namespace kith::study {

// rows=4096
void set_size(Sizes& sizes, const std::string& text) {
  const size_t equals = text.find('=');
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const char* begin = text.data() + std::min(equals, text.size() - 1) + 1;
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (equals == std::string::npos || equals == 0 || error != std::errc{} || stop != end || value < 0)
    throw Error(fmt::format("'{}' is not of the form NAME=NUMBER", text));
  sizes.set(text.substr(0, equals), value);
}

namespace {

Sizes chosen(const Study& s, const std::vector<std::string>& given) {
  Sizes sizes = s.sizes;
  for (const std::string& text : given) set_size(sizes, text);
  return sizes;
}

// Of one kernel at the sizes given, or of all at the sizes that runs have.
void show_predictions(std::ostream& out, const Card& c, const std::string& kernel,
                      const std::vector<std::string>& given) {
  const Registers registers = registers_of_launches(KITH_CUDA_SOURCES);
  simt::options().registers = registers;
  const auto row = [&](const Study& s, const Sizes& sizes) {
    const Result r = run(s, sizes, 90, static_cast<int>(c.multiprocessors.value));
    out << prediction_row(r, predict(r, c, registers)) << std::flush;
  };
  std::vector<const Study*> wanted;
  if (kernel.empty())
    for (const Study& s : studies()) wanted.push_back(&s);
  else
    wanted.push_back(&study(kernel));
  std::vector<std::vector<Sizes>> sizes;  // before anything is written: what is wrong with them is an error alone
  for (const Study* s : wanted) sizes.push_back(given.empty() ? sizes_of_runs(*s) : std::vector{chosen(*s, given)});
  out << prediction_head(c);
  for (size_t i = 0; i < wanted.size(); ++i)
    for (const Sizes& each : sizes[i]) row(*wanted[i], each);
  out << "\n" << card_facts(c);
}

}  // namespace

int command(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  CLI::App app(
      "Runs one CUDA kernel on the CPU, compares its results with the CPU's own and shows its traffic "
      "beside its contract's cost.",
      "kith_simt");
  std::string kernel, card_name, predictions;
  std::vector<std::string> sizes, benchmarks;
  bool list = false, as_json = false;
  auto* what = app.add_option_group("what");
  auto* one = what->add_option("--kernel", kernel, "entry to run, one of --list");
  auto* names =
      what->add_flag("--list", list, "all entries by contract: files, launches, cost, sizes with their defaults");
  auto* prediction =
      what->add_option("--predict", card_name,
                       "h100 or h200: the time that each of its limits alone would take, by the counts; of all "
                       "entries (minutes), or of --kernel");
  auto* file = what->add_option("--predictions", predictions,
                                "file (bench/gpu_prediction.json) of what is predicted for the benchmarks of kernels: "
                                "counts them again (minutes), or those of --benchmark")
                   ->excludes(one)
                   ->excludes(prediction);
  app.add_option("--benchmark", benchmarks, "of bench/kernels, with its arguments: ntxent_forward/4096/128/1")
      ->needs(file);
  what->require_option(1, 2);
  names->excludes(one)->excludes(prediction)->excludes(file);
  app.add_option("--size", sizes, "other sizes: rows=4096,dim=128")->delimiter(',');
  app.add_option("--workers", simt::options().workers, "threads that run blocks, 0: all cores; 1 in a debugger")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--json", as_json, "write JSON")->excludes(prediction);
  std::string device = "a100";
  app.add_option("--device", device, "the device that the runner stands for: a100 or h100")
      ->check(CLI::IsMember({"a100", "h100"}))
      ->excludes(prediction);
  int orders = 2;
  app.add_option("--orders", orders,
                 "of threads that each launch runs in, as results must not depend on them (default 2)")
      ->check(CLI::PositiveNumber)
      ->needs(one)
      ->excludes(prediction);
  int multiprocessors = 0;
  app.add_option("--multiprocessors", multiprocessors,
                 "that it has, for which entries cut their work; 1: what one does of a long launch")
      ->check(CLI::PositiveNumber)
      ->excludes(prediction);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them from the back
    if (list) {
      out << (as_json ? list_json() : list_table());
    } else if (!predictions.empty()) {
      count_predictions(predictions, benchmarks, out);
    } else if (!card_name.empty()) {
      if (kernel.empty() && !sizes.empty()) throw Error("--size is of one kernel: --kernel names it");
      show_predictions(out, card(card_name), kernel, sizes);
    } else {
      simt::Described described = device == "h100" ? simt::kH100 : simt::kA100;
      if (multiprocessors > 0) described.multiprocessors = multiprocessors;
      const Study& s = study(kernel);
      return show(s, chosen(s, sizes), described, orders, as_json, out, err);
    }
    return 0;
  } catch (const CLI::ParseError& e) {
    return app.exit(e, out, err);
  } catch (const std::bad_alloc&) {
    err << "kith_simt: not enough memory for these sizes\n";
  } catch (const std::exception& e) {
    err << "kith_simt: " << e.what() << "\n";
  }
  return 1;
}

}  // namespace kith::study
