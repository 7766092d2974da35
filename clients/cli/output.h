// Output: results in the forms of `-o`. The one place that knows what they are.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

/// How a result looks. The first two are for people and may change; the others are a promise.
enum class Format { kTable, kWide, kJson, kYaml, kName };

/// The words of `-o`, in the order of Format.
std::vector<std::string> FormatWords();

/// The format that `word` stands for. Requires: it is one of FormatWords().
Format ParseFormat(std::string_view word);

/// What a command found, in every form.
struct Result {
  std::string json = {};                // one document
  std::string text = {};                // lines for a person
  std::vector<std::string> names = {};  // of the resources, as other commands take them
};

/// `result` in one of its forms.
std::string Form(const Result& result, Format format);

/// The same document as YAML, one that ends with a line feed. Texts that could be read as something
/// else stand in quotes. Requires: `json` is a JSON document.
std::string ToYaml(std::string_view json);

}  // namespace millrace::cli
