// The pages that kith writes and serves, in a real browser: what a user with a mouse, a keyboard or a phone finds there.
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "scan/run/metrics_log.h"
#include "tests/apps/run_fixture.h"
#include "tests/browser/browser.h"

namespace kith::test {
namespace {

class Pages : public Runs {
 protected:
  void SetUp() override {
    if (Browser::program().empty())
      GTEST_SKIP() << "SKIPPED: no Chromium (Debian: chromium; KITH_CHROMIUM names another)";
    Runs::SetUp();
    browser_ = std::make_unique<Browser>(root_ / "profile");
    browser_->look(1280, 900, "light");
  }
  void TearDown() override {
    if (!browser_) return;
    EXPECT_EQ(browser_->errors(), std::vector<std::string>{});
    browser_.reset();
    Runs::TearDown();
  }
  std::string file(const fs::path& path) const { return "file://" + (root_ / path).string(); }
  json value(const std::string& expression) { return browser_->value(expression); }

  // What stands out of a window of that width to the right, and letters that nobody can read.
  void expect_fits(int width) {
    browser_->look(width, 844, "light");
    EXPECT_LE(value("document.documentElement.scrollWidth").get<int>(), width);
    EXPECT_EQ(value("[...document.querySelectorAll('svg text, th, td, small, figcaption, p')]"
                    ".filter(e => e.textContent.trim()).filter(e => {"
                    "  const m = e.getScreenCTM ? e.getScreenCTM() : {a: 1, b: 0};"
                    "  return parseFloat(getComputedStyle(e).fontSize) * Math.hypot(m.a, m.b) < 9.5;"
                    "}).map(e => e.textContent)"),
              json::array());
    // Names of methods in two lines at most.
    EXPECT_EQ(value("[...document.querySelectorAll('.scores td:first-child')].filter(e => {"
                    "  const text = document.createRange();"
                    "  text.selectNodeContents(e);"
                    "  return new Set([...text.getClientRects()].map(r => r.top)).size > 2;"
                    "}).map(e => e.textContent)"),
              json::array());
    browser_->look(1280, 900, "light");
  }
  std::unique_ptr<Browser> browser_;
};

TEST_F(Pages, TheReportShowsEverythingInEverySize) {
  ASSERT_EQ(run("a").status, 0);
  browser_->open(file("a/report.html"));
  const json headings = value("[...document.querySelectorAll('h2')].map(h => h.textContent)");
  for (const char* section : {"Scores", "Confusion matrix", "Map", "Clusters", "Purity over K", "Nearest neighbours",
                              "Uncertain images", "Outliers", "Training", "How it was made"})
    EXPECT_EQ(std::ranges::count(headings, json(section)), 1) << section << " of " << headings;
  // Curves have a length, dots a place, pictures pixels.
  EXPECT_GE(value("document.querySelectorAll('svg.chart').length").get<int>(), 10);
  EXPECT_EQ(value("[...document.querySelectorAll('svg.chart')].filter(s => "
                  "!(s.querySelector('polyline').getTotalLength() > 0 ||"
                  " s.querySelectorAll('circle.value').length === 1)).map(s => s.getAttribute('aria-label'))"),
            json::array());
  EXPECT_EQ(value("document.querySelectorAll('.map circle').length"), 60);
  EXPECT_EQ(value("[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length"), 0);
  EXPECT_GE(value("document.querySelectorAll('.samples img').length").get<int>(), 100);
  expect_fits(390);
}

// Without a mouse: the tab key comes to every row of pictures, to the map and its legend, and arrows step through them.
TEST_F(Pages, TheKeyboardReachesPicturesAndMap) {
  ASSERT_EQ(run("a").status, 0);
  browser_->open(file("a/report.html"));
  const int rows = value("document.querySelectorAll('.samples:has(img)').length").get<int>();
  ASSERT_GE(rows, 20);
  std::set<std::string> reached;
  bool map = false, legend = false;
  for (int i = 0; i < 400 && !(map && legend && static_cast<int>(reached.size()) == rows); ++i) {
    browser_->press("Tab");
    const std::string at = value(
        "(e => e.closest('.samples') ? 'row ' + [...document.querySelectorAll('.samples')].indexOf(e)"
        " : e.closest('.legend') ? 'legend' : e.closest('.map') ? 'map' : '')(document.activeElement)");
    map = map || at == "map", legend = legend || at == "legend";
    if (at.starts_with("row")) reached.insert(at);
    if (at == "map" && value("document.querySelector('.card').hidden") == true) {
      browser_->press("ArrowRight");
      EXPECT_EQ(value("document.querySelector('.card').hidden"), false);
      EXPECT_NE(value("document.querySelector('.card').textContent").get<std::string>().find("confidence"),
                std::string::npos);
    }
  }
  EXPECT_TRUE(map);
  EXPECT_TRUE(legend);
  EXPECT_EQ(static_cast<int>(reached.size()), rows);
  value("document.querySelector('.samples:has(img)').focus()");
  const auto said = [&] { return value("document.querySelector('.samples:has(img) output')?.textContent ?? ''"); };
  const auto text = [&](int i) {
    return value("document.querySelector('.samples:has(img)').querySelectorAll('img')[" + std::to_string(i) + "].alt");
  };
  EXPECT_EQ(said(), "");
  browser_->press("ArrowRight");
  EXPECT_EQ(said(), text(0));
  browser_->press("ArrowRight");
  EXPECT_EQ(said(), text(1));
  browser_->press("Escape");
  EXPECT_EQ(said(), "");

  // So do the curves, to a finger too.
  EXPECT_EQ(value("document.querySelectorAll('.chart:not([tabindex=\"0\"])').length"), 0);
  value("window.curve = document.querySelector('.chart'); curve.focus()");
  const auto read = [&] { return value("curve.querySelector('.read').textContent"); };
  const auto of_point = [&](const std::string& i) {
    return value("[...curve.querySelectorAll('.value')].at(" + i + ").textContent");
  };
  EXPECT_EQ(read(), "");
  browser_->press("ArrowRight");
  EXPECT_EQ(read(), of_point("0"));
  EXPECT_EQ(value("curve.getAttribute('aria-valuetext')"), of_point("0"));
  browser_->press("End");
  EXPECT_EQ(read(), of_point("-1"));
  browser_->press("Escape");
  EXPECT_EQ(read(), "");
  value(
      "(b => curve.dispatchEvent(new PointerEvent('pointerdown', {bubbles: true, pointerType: 'touch',"
      " clientX: b.left + b.width / 2, clientY: b.top + b.height / 2})))"
      "([...curve.querySelectorAll('.value')].at(1).getBoundingClientRect())");
  EXPECT_EQ(read(), of_point("1"));
}

// Light and dark: ink and ground have a contrast of 4.5 at least (WCAG 2.1, 1.4.3), and change places.
TEST_F(Pages, TheReportIsReadableInTheDark) {
  ASSERT_EQ(run("a").status, 0);
  browser_->open(file("a/report.html"));
  const auto luminance = [&](const std::string& element, const char* property) {
    return value(
               "(c => { const l = c.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255)"
               ".map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);"
               "return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; })(getComputedStyle(document.querySelector('" +
               element + "'))." + property + ")")
        .get<double>();
  };
  const auto contrast = [&](const std::string& element) {
    const double ink = luminance(element, "color"), ground = luminance("section", "backgroundColor");
    return (std::max(ink, ground) + 0.05) / (std::min(ink, ground) + 0.05);
  };
  for (const char* scheme : {"light", "dark"}) {
    browser_->look(1280, 900, scheme);
    EXPECT_EQ(luminance("body", "color") > luminance("body", "backgroundColor"), scheme == std::string("dark"));
    for (const char* element : {"h2", "section p", "td", ".cluster small", "figcaption"})
      EXPECT_GE(contrast(element), 4.5) << element << ", " << scheme;
  }
}

TEST_F(Pages, ComparedRunsFitAPhone) {
  ASSERT_EQ(run("many", {"--seeds", "0,1"}).status, 0);
  std::vector<std::string> words = {"compare", "--page", (root_ / "page.html").string()};
  for (const auto& entry : fs::directory_iterator(root_ / "many" / "cells"))
    if (entry.is_directory()) words.push_back(entry.path().string());
  ASSERT_EQ(run("other", {"--set", "cluster.lambda=2"}).status, 0);
  words.push_back((root_ / "other").string());
  ASSERT_EQ(kith(words).status, 0);
  for (const char* page : {"many/report.html", "page.html"}) {
    browser_->open(file(page));
    EXPECT_GE(value("document.querySelectorAll('svg.dots circle').length").get<int>(), 8) << page;
    EXPECT_GE(value("document.querySelectorAll('table tr').length").get<int>(), 2) << page;
    expect_fits(390);
  }
}

// The page of a run at work grows without being loaded again, says what runs, and becomes the report.
TEST_F(Pages, TheLiveViewFollowsARun) {
  ASSERT_EQ(run("a").status, 0);
  std::promise<void> seen, over;
  const std::shared_future<void> run_seen = seen.get_future().share(), all_over = over.get_future().share();
  const auto when = [](const std::shared_future<void>& f) {
    return [f] { return f.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
  };
  std::vector<std::string> words = command("run", "b", {"--set", "cluster.epochs=1000000"});
  std::future<Outcome> at_work =
      std::async(std::launch::async, [&, words] { return kith(words, {.signal = 15, .ready = when(run_seen)}); });
  const auto served = [&](const std::string& name, const std::shared_future<void>& until) {
    std::ofstream(root_ / (name + ".url")) << "";
    return std::async(std::launch::async, [this, name, until, when] {
      return kith({"watch", (root_ / name).string(), "--serve", "0"}, {.signal = 15, .ready = when(until)},
                  (root_ / (name + ".url")).c_str());
    });
  };
  const auto address = [&](const std::string& name) {
    for (int i = 0; i < 6000; ++i) {
      if (const std::string text = text_of(root_ / (name + ".url")); text.ends_with("/\n"))
        return text.substr(0, text.size() - 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return std::string();
  };
  for (int i = 0; i < 6000 && !fs::exists(root_ / "b" / "config.toml"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::future<Outcome> first = served("b", run_seen);
  browser_->open(address("b"));
  value("window.marker = 1");
  EXPECT_TRUE(browser_->becomes_true(
      "/cluster\\s*running: \\d+ %, epoch \\d+ of 1000000, loss/.test(document.querySelector('dl').textContent)"));
  EXPECT_TRUE(browser_->becomes_true("document.querySelectorAll('svg.chart polyline').length >= 4"));
  value("window.before = document.querySelector('main').textContent");
  EXPECT_TRUE(browser_->becomes_true("document.querySelector('main').textContent !== window.before"));
  EXPECT_EQ(value("window.marker"), 1);  // the same page
  expect_fits(390);
  browser_->open("about:blank");
  seen.set_value();
  EXPECT_EQ(at_work.get().status, 143);
  first.get();

  // A finished run on which a process still holds the log; then it ends.
  std::optional<MetricsLog> log(root_ / "a" / "metrics.jsonl");
  std::future<Outcome> second = served("a", all_over);
  browser_->open(address("a"));
  EXPECT_EQ(value("[...document.querySelectorAll('h2')].map(h => h.textContent).includes('Clusters')"), false);
  log.reset();
  EXPECT_TRUE(
      browser_->becomes_true("[...document.querySelectorAll('h2')].map(h => h.textContent).includes('Clusters')"));
  browser_->open("about:blank");
  over.set_value();
  second.get();
}

}  // namespace
}  // namespace kith::test
