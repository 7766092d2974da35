#include "tests/house/repeats.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <string>
#include <string_view>

#include <fmt/core.h>

namespace millrace::house {
namespace {

// A line that counts, without white space.
struct Line {
  std::string text;
  std::size_t number = 0;  // from 1
};

// A file's lines that count.
using Text = std::vector<Line>;

bool IsWord(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

Text LinesThatCount(const SourceFile& file) {
  Text counted;
  const std::vector<std::string> lines = Lines(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string text;
    std::copy_if(lines[i].begin(), lines[i].end(), std::back_inserter(text), [](char c) {
      return std::isspace(static_cast<unsigned char>(c)) == 0;
    });
    // A preprocessor's line begins as a shell's comment does.
    const bool passed_over = text.starts_with("//") || text.starts_with('#');
    if (!passed_over && std::any_of(text.begin(), text.end(), IsWord)) {
      counted.push_back({std::move(text), i + 1});
    }
  }
  return counted;
}

struct Place {
  std::size_t file = 0;
  std::size_t line = 0;  // among those that count
};

std::string Window(const Text& text, std::size_t at, std::size_t lines) {
  std::string window;
  for (std::size_t i = at; i < at + lines; ++i) {
    window += text[i].text + '\n';
  }
  return window;
}

}  // namespace

Findings EqualRuns(const std::vector<SourceFile>& files, std::size_t lines_min) {
  Findings findings;
  std::vector<Text> texts;
  std::map<std::string, Place> first;  // where each window stood first
  for (const SourceFile& file : files) {
    texts.push_back(LinesThatCount(file));
    const std::size_t here = texts.size() - 1;
    const Text& text = texts[here];
    for (std::size_t at = 0; at + lines_min <= text.size();) {
      const auto [found, is_new] = first.try_emplace(Window(text, at, lines_min), Place{here, at});
      const Place before = found->second;
      if (is_new || (before.file == here && before.line + lines_min > at)) {
        ++at;
        continue;
      }
      const Text& other = texts[before.file];
      std::size_t lines = lines_min;
      while (at + lines < text.size() && before.line + lines < other.size() &&
             text[at + lines].text == other[before.line + lines].text) {
        ++lines;
      }
      findings.push_back(fmt::format("{}:{}: {} lines stand in {}:{} already",
                                     file.path,
                                     text[at].number,
                                     lines,
                                     files[before.file].path,
                                     other[before.line].number));
      at += lines;
    }
  }
  return findings;
}

}  // namespace millrace::house
