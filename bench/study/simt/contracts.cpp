#include "bench/study/simt/contracts.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <regex>

namespace kith::study {

std::string Promise::times_text() const {
  return size.empty() ? fmt::format("{}", times) : fmt::format("{} + {}/{}", times, size, each);
}

Promise parse_promise(const std::string& text) {
  static const std::regex form(R"re(\s*(\d+|steps),\s*([\d.]+)(?: \+ (\w+)(?: / (\d+))?)?\s*)re");
  std::smatch m;
  check(std::regex_match(text, m, form), "not of the form 'launches, times + size / number': " + text);
  return {m[1].str(), std::stod(m[2].str()), m[3].str(), m[4].matched ? std::stod(m[4].str()) : 1, ""};
}

std::map<std::string, Promise> promises(const std::string& cuda_sources) {
  std::map<std::string, Promise> all;
  for (const auto& file : std::filesystem::directory_iterator(cuda_sources + "/..")) {
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
    for (std::sregex_iterator it(text.begin(), text.end(), entry), end; it != end; ++it) {
      Promise& promise = all[(*it)[1].str()] = parse_promise((*it)[2].str());
      promise.contract = file.path().filename().string();
    }
  }
  return all;
}

}  // namespace kith::study
