#include "tests/house/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace millrace::house {
namespace {

namespace fs = std::filesystem;

bool IsIgnoredFolder(const std::string& name) {
  const bool hidden = name.starts_with('.') && name != ".ci" && name != ".githooks";
  return hidden || name == "build" || name == "node_modules";
}

}  // namespace

std::string ReadText(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<SourceFile> ReadTree(const std::string& root) {
  std::vector<SourceFile> files;
  fs::recursive_directory_iterator it(root);
  for (; it != fs::end(it); ++it) {
    if (it->is_directory() && IsIgnoredFolder(it->path().filename().string())) {
      it.disable_recursion_pending();
    }
    // In a work tree `.git` is a file.
    if (!it->is_regular_file() || it->path().filename() == ".git") {
      continue;
    }
    std::string text = ReadText(it->path().string());
    if (text.find('\0') == std::string::npos) {
      files.push_back({fs::relative(it->path(), root).generic_string(), std::move(text)});
    }
  }
  std::sort(files.begin(), files.end(), [](const SourceFile& a, const SourceFile& b) {
    return a.path < b.path;
  });
  return files;
}

std::vector<SourceFile> Select(const std::vector<SourceFile>& files,
                               const std::vector<std::string>& folders,
                               const std::vector<std::string>& endings) {
  std::vector<SourceFile> selected;
  for (const SourceFile& file : files) {
    const bool inside = std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
      return file.path.starts_with(folder);
    });
    const bool ends = std::any_of(endings.begin(), endings.end(), [&](const std::string& ending) {
      return file.path.ends_with(ending);
    });
    if (inside && ends) {
      selected.push_back(file);
    }
  }
  return selected;
}

std::string TextOf(const std::vector<SourceFile>& files, std::string_view path) {
  const auto found = std::find_if(
      files.begin(), files.end(), [&](const SourceFile& file) { return file.path == path; });
  return found == files.end() ? std::string() : found->text;
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string FolderOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? std::string_view() : path.substr(0, slash));
}

std::string NameOf(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

}  // namespace millrace::house
