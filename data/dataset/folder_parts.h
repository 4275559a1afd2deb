// Whether the sub-folders of a folder of pictures are classes.
#pragma once
#include <string>
#include <string_view>

namespace kith::data {

// Error, one line, with what to type instead: all sub-folders of folder:DIR have names of parts of a data set, or among others
// one of each kind, such as train and test, and would become its classes. Nothing is said of other data sets, nor where a file
// of classes names the folders. No picture is looked at.
void expect_no_parts(std::string_view spec, const std::string& classes_file);

}  // namespace kith::data
