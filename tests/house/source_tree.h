// SourceTree: the text files of this repository, as the house rules read them.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::house {

/// One text file. `path` is relative to the repository's root, with slashes.
struct SourceFile {
  std::string path;
  std::string text;
};

/// What a rule found: one sentence for each offence, `path:line: what is wrong`. Empty is good.
using Findings = std::vector<std::string>;

/// The bytes of the file at `path`; empty when it cannot be read.
std::string ReadText(const std::string& path);

/// Every text file below `root`, sorted by path, without what git ignores: the build and cache
/// folders, hidden folders other than .ci and .githooks, and files with a NUL byte.
std::vector<SourceFile> ReadTree(const std::string& root);

/// Of `files` those below one of `folders` (`common/`) whose path ends with one of `endings`.
std::vector<SourceFile> Select(const std::vector<SourceFile>& files,
                               const std::vector<std::string>& folders,
                               const std::vector<std::string>& endings);

/// The text of `path`, or empty.
std::string TextOf(const std::vector<SourceFile>& files, std::string_view path);

/// `text` cut at its line ends.
std::vector<std::string> Lines(std::string_view text);

/// The folder of `path`: `common/csv` of `common/csv/reader.h`; empty at the root.
std::string FolderOf(std::string_view path);

/// The last part of `path`.
std::string NameOf(std::string_view path);

}  // namespace millrace::house
