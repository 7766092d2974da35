#include "tests/house/text_rules.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>

#include <fmt/core.h>

namespace millrace::house {
namespace {

constexpr std::size_t kHeaderLinesMax = 400;
constexpr std::size_t kSourceLinesMax = 600;

std::string Place(const SourceFile& file, std::size_t index) {
  return fmt::format("{}:{}: ", file.path, index + 1);
}

// One finding for each line of `text` that `pattern` matches. `text` is the file's own or made of
// it line by line.
Findings Matches(const SourceFile& file,
                 const std::string& text,
                 const std::regex& pattern,
                 const std::string& what) {
  Findings findings;
  const std::vector<std::string> lines = Lines(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::smatch match;
    if (std::regex_search(lines[i], match, pattern)) {
      findings.push_back(Place(file, i) + what + ": " + match.str());
    }
  }
  return findings;
}

bool Exists(const std::vector<SourceFile>& files, const std::string& path) {
  return std::any_of(
      files.begin(), files.end(), [&](const SourceFile& file) { return file.path == path; });
}

// The folders in the lines "- `folder/` …" of a README.
std::set<std::string> FoldersNamedIn(const std::string& readme) {
  std::set<std::string> folders;
  static const std::regex entry(R"(^\s*[-|]\s*`([\w/]+)/`)");
  for (const std::string& line : Lines(readme)) {
    std::smatch match;
    if (std::regex_search(line, match, entry)) {
      folders.insert(match[1].str());
    }
  }
  return folders;
}

// The size of the string or character literal that `text` begins with, or 0. A quote behind a
// letter or digit, as in 1'000, begins none; `before` is the code so far. A literal ends with its
// line at the latest, so a raw one with quotes inside misleads for one line only.
std::size_t LiteralSize(std::string_view text, std::string_view before) {
  const char quote = text.front();
  const bool separator = quote == '\'' && !before.empty() &&
                         std::isalnum(static_cast<unsigned char>(before.back())) != 0;
  if ((quote != '"' && quote != '\'') || separator) {
    return 0;
  }
  std::size_t end = 1;
  while (end < text.size() && text[end] != quote && text[end] != '\n') {
    end += text[end] == '\\' ? 2U : 1U;
  }
  return std::min(end + 1, text.size());
}

}  // namespace

Findings NamelessRooms(const SourceFile& file) {
  static const std::regex nameless(
      R"((^|[/_.-])(utils?|helpers?|misc|managers?)([/_.-]|$)|(^|/)common_)");
  std::smatch match;
  return std::regex_search(file.path, match, nameless)
             ? Findings{file.path + ": a name that says nothing: " + match.str()}
             : Findings{};
}

Findings TooLong(const SourceFile& file) {
  const std::size_t most = file.path.ends_with(".h") ? kHeaderLinesMax : kSourceLinesMax;
  const std::size_t lines = Lines(file.text).size();
  return lines > most ? Findings{fmt::format("{}: {} lines, at most {}", file.path, lines, most)}
                      : Findings{};
}

Findings HeaderWithoutOpening(const SourceFile& file) {
  Findings findings;
  const std::vector<std::string> lines = Lines(file.text);
  static const std::regex opening(R"(^// [A-Z`][^:]*: \S.*)");
  if (lines.empty() || !std::regex_match(lines.front(), opening)) {
    findings.push_back(file.path + ":1: the first line says `// Name: what it is`");
  }
  const auto code = std::find_if(lines.begin(), lines.end(), [](const std::string& line) {
    return !line.empty() && !line.starts_with("//");
  });
  if (code == lines.end() || *code != "#pragma once") {
    findings.push_back(file.path + ": the first line of code is #pragma once");
  }
  return findings;
}

Findings OpenWork(const SourceFile& file) {
  // The words are cut in two so that this file does not contain them.
  static const std::regex open(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X|HA"
      "CK)\\b");
  return Matches(file, file.text, open, "work left open");
}

Findings MachinePaths(const SourceFile& file) {
  static const std::regex paths(
      "(^|[^\\w.-])/(work|root|home"
      ")/");
  return Matches(file, file.text, paths, "a path of one machine");
}

Findings Globbing(const SourceFile& file) {
  static const std::regex glob(R"(\bfile\s*\(\s*GLOB)", std::regex::icase);
  return Matches(file, file.text, glob, "list the files");
}

Findings DurabilityOutsideStorage(const SourceFile& file) {
  if (FolderOf(file.path) == "common/storage") {
    return {};
  }
  static const std::regex calls(R"(\b(fsync|fdatasync|syncfs|rename|renameat2?)\s*\()");
  return Matches(file, CodeOnly(file.text), calls, "only common/storage makes things durable");
}

Findings AbslStringViewOutsideStatus(const SourceFile& file) {
  if (FolderOf(file.path) == "common/status") {
    return {};
  }
  static const std::regex name(R"(\babsl::string_view\b)");
  return Matches(file, CodeOnly(file.text), name, "use Message() or std::string_view");
}

Findings WithoutAssertion(const SourceFile& file) {
  static const std::regex assertion(R"(\b(EXPECT|ASSERT)_[A-Z]+)");
  return std::regex_search(CodeOnly(file.text), assertion)
             ? Findings{}
             : Findings{file.path + ": a test that asserts nothing"};
}

Findings PackageIsNotFolder(const SourceFile& file) {
  static const std::regex statement(R"((^|\n)package ([\w.]+);)");
  static const std::regex dots(R"(\.)");
  std::smatch match;
  const bool found = std::regex_search(file.text, match, statement);
  const std::string package = found ? match[2].str() : std::string("no package");
  return FolderOf(file.path) == "proto/" + std::regex_replace(package, dots, "/")
             ? Findings{}
             : Findings{file.path + ": a package is named by its folder: " + package};
}

Findings UnlistedSources(const std::vector<SourceFile>& files) {
  Findings findings;
  for (const SourceFile& file : files) {
    if (!file.path.ends_with(".cc") && !file.path.ends_with(".h")) {
      continue;
    }
    const std::string list = FolderOf(file.path) + "/CMakeLists.txt";
    const std::regex name("(^|[\\s(])" + NameOf(file.path) + "($|[\\s)])");
    const bool test_header = file.path.starts_with("tests/") && file.path.ends_with(".h");
    if (!test_header && !std::regex_search(TextOf(files, list), name)) {
      findings.push_back(fmt::format("{}: {} does not list it", file.path, list));
    }
  }
  return findings;
}

Findings TestsWithoutHeader(const std::vector<SourceFile>& files) {
  Findings findings;
  static const std::regex test(R"(^tests/unit/(.+)_test\.cc$)");
  for (const SourceFile& file : files) {
    std::smatch match;
    if (!std::regex_match(file.path, match, test)) {
      continue;
    }
    const std::string tested = match[1].str();
    if (!Exists(files, tested + ".h") && !Exists(files, tested + ".cc")) {
      findings.push_back(fmt::format("{}: there is no {}.h", file.path, tested));
    }
  }
  return findings;
}

Findings FoldersWithoutLine(const std::vector<SourceFile>& files, std::string_view top) {
  const std::string prefix = std::string(top) + "/";
  std::set<std::string> folders;
  for (const SourceFile& file : files) {
    const std::string folder = FolderOf(file.path);
    if (folder.starts_with(prefix)) {
      folders.insert(folder.substr(prefix.size()));
    }
  }
  const std::set<std::string> named = FoldersNamedIn(TextOf(files, prefix + "README.md"));
  Findings findings;
  for (const std::string& folder : folders) {
    if (!named.contains(folder)) {
      findings.push_back(fmt::format("{}README.md: has no line for `{}/`", prefix, folder));
    }
  }
  for (const std::string& folder : named) {
    if (!folders.contains(folder)) {
      findings.push_back(
          fmt::format("{}README.md: names `{}/`, which does not exist", prefix, folder));
    }
  }
  return findings;
}

std::string CodeOnly(std::string_view text) {
  std::string code;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const std::size_t skipped = rest.starts_with("//") ? rest.find('\n') : LiteralSize(rest, code);
    if (skipped == 0) {
      code += rest.front();
      ++at;
    } else {
      at = skipped == std::string_view::npos ? text.size() : at + skipped;
    }
  }
  return code;
}

}  // namespace millrace::house
