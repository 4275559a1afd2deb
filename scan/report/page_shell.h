// What every page has around its content.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace kith {

// A whole document with the style sheet inside. `title` is text, `body` HTML.
std::string html_page(const std::string& title, const std::string& body);

// A framed part of a page; empty where `body` is.
std::string html_section(const std::string& heading, const std::string& about, const std::string& body);

// Names and values, as text, under the heading of a page; empty without any.
std::string html_facts(const std::vector<std::pair<std::string, std::string>>&);

// The section that says which command makes a page's result anew. `command` and `note`, which may be empty, are text; `settings` is
// HTML, shown when its title is opened.
std::string html_origin(const std::string& command, const std::string& note, const std::string& title,
                        const std::string& settings);

// The section that says which command wrote a page, for one that is of several results; empty without a command.
std::string html_command(const std::string& command);

// A box of its own that scrolls sideways where the page is narrower than the table or figure; also by keyboard.
std::string html_scroll(const std::string& body);

}  // namespace kith
