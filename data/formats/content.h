// Recognises the content of a file, for messages that it is not the expected one.
#pragma once
#include <string>

#include "data/formats/files.h"

namespace kith::data {

constexpr size_t kContentHead = 512;  // bytes that content_of needs of a file; it takes fewer

// "a web page (HTML)", "a gzip file", "an IDX file of 3 extents", ...; empty: unknown.
std::string content_of(Bytes head);

// "; it is a web page (HTML)" to end a message with, or empty; of the first bytes of the file.
std::string but_it_is(Bytes head);
std::string but_it_is(const std::filesystem::path&);

}  // namespace kith::data
