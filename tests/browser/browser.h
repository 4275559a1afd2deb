// A real Chromium without a window, over its debugging pipe (Chrome DevTools Protocol, JSON messages that end in a zero byte):
// nothing but the browser is needed, and no port is opened.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kith::test {

class Browser {
 public:
  // The program, by KITH_CHROMIUM or PATH; empty: there is none.
  static std::string program();

  explicit Browser(const std::filesystem::path& profile);  // a folder of its own
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  void open(const std::string& url);                     // until it has loaded
  nlohmann::json value(const std::string& expression);   // of JavaScript, in the page; throws what it throws
  bool becomes_true(const std::string& expression);      // within two minutes, however slow the machine is
  void press(const std::string& key);                    // Tab, ArrowRight, End, Escape
  void look(int width, int height, const char* scheme);  // of the window; "light" or "dark"
  const std::vector<std::string>& errors() const { return errors_; }  // of console and scripts, of all pages so far

 private:
  nlohmann::json call(const std::string& method, nlohmann::json parameters);
  nlohmann::json next();  // message
  void note(const nlohmann::json& message);

  pid_t child_ = 0;
  int to_ = -1, from_ = -1, number_ = 0;
  std::string read_, session_;
  bool loaded_ = false;
  std::vector<std::string> errors_;
};

}  // namespace kith::test
