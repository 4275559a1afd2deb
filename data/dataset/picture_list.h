// Which picture files a data set has, and their labels. Inside data/ only.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kith::data {

struct PictureList {
  std::vector<std::string> files = {};
  std::vector<int32_t> labels = {};  // of each file; all 0 where there are none
  std::vector<std::string> class_names = {};
  std::vector<std::string> notes = {};  // what was left out, a line each
};

// folder:DIR. Each sub-folder is a class of its name, with all pictures at any depth below it. Without sub-folders the pictures in
// DIR are unlabelled, of one class. Order: classes by the bytes of their names ("10" before "2", as ImageFolder and `LC_ALL=C ls`
// have it), in a class pictures by the bytes of their paths.
//   pictures     files with one of the usual endings, in upper or lower case; formats that are not read are among them, so that
//                they are told of. Other files are left out, with a note
//   hidden       files and folders whose names begin with a dot, and __MACOSX, are left out without one (ImageFolder has them)
//   links        are followed; a link to itself or to a folder that it lies in (those that DIR lies in, too) is left out, with a
//                note
//   same picture  under two names is two images
// `classes_file`, if not empty: the sub-folders that are wanted, one a line, in the order of their labels; what follows the first
// blank is the class's name ("n01558993 robin"), else the folder's.
// Error, one line: no such folder; no picture; pictures in DIR beside folders with pictures; a class without a picture; a class
// folder whose name is not UTF-8; wanted folders that are missing (all are named), or named twice.
PictureList list_folder(const std::filesystem::path& dir, const std::string& classes_file);

// list:FILE. A path on each line, from the folder of FILE where it is relative, and after a tab its label; paths and labels may
// hold blanks, but for those around a label. Where FILE ends in .csv a comma stands between the two, and "..." around what holds
// one. UTF-8. Labels are words, in the order of their bytes, or, if all are numbers, numbers in their order; gaps are no classes.
// Without labels: one class.
// Error, naming the line: labels on some lines only; a path twice with two labels; more than two fields; a quote that is not
// closed; a first line that names no picture (a header); none at all.
PictureList list_file(const std::filesystem::path& file);

bool has_picture_ending(const std::string& name);

}  // namespace kith::data
