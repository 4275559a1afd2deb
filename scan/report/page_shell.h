// What every page has around its content.
#pragma once
#include <string>

namespace kith {

// A whole document with the style sheet inside. `title` is text, `body` HTML.
std::string html_page(const std::string& title, const std::string& body);

// A framed part of a page; empty where `body` is.
std::string html_section(const std::string& heading, const std::string& about, const std::string& body);

// A box of its own that scrolls sideways where the page is narrower than the table or figure; also by keyboard.
std::string html_scroll(const std::string& body);

}  // namespace kith
