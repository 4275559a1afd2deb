#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <ostream>

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

// rows=4096
void apply(Sizes& sizes, const std::string& text) {
  const size_t equals = text.find('=');
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const char* begin = text.data() + std::min(equals, text.size() - 1) + 1;
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (equals == std::string::npos || equals == 0 || error != std::errc{} || stop != end || value < 0)
    throw Error(fmt::format("'{}' is not of the form NAME=NUMBER", text));
  sizes.set(text.substr(0, equals), value);
}

void show(std::ostream& out, const std::string& kernel, const std::vector<std::string>& given, bool as_json) {
  const Study& s = study(kernel);
  Sizes sizes = s.sizes;
  for (const std::string& text : given) apply(sizes, text);
  const Result result = run(s, sizes);
  out << (as_json ? json(result) : table(result));
}

}  // namespace

int command(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  CLI::App app("Runs one CUDA kernel on the CPU and shows its traffic beside its contract's cost.", "kith_simt");
  std::string kernel;
  std::vector<std::string> sizes;
  bool list = false, as_json = false;
  auto* what = app.add_option_group("what");
  what->add_option("--kernel", kernel, "entry to run, one of --list");
  what->add_flag("--list", list, "name the entries and their sizes, with defaults");
  what->require_option(1);
  app.add_option("--size", sizes, "other sizes: rows=4096,dim=128")->delimiter(',');
  app.add_option("--workers", simt::options().workers, "threads that run blocks, 0: all cores; 1 in a debugger")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--json", as_json, "write JSON");
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them from the back
    if (list) {
      for (const Study& s : studies()) out << fmt::format("{:<26}{}\n", s.name, s.sizes.text());
    } else {
      show(out, kernel, sizes, as_json);
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
