#include "tests/house/callers.h"

#include <cstddef>
#include <regex>

#include <fmt/core.h>

#include "tests/house/text_rules.h"

namespace millrace::house {
namespace {

// The part behind the last `::`.
std::string LastName(const std::string& name) {
  const std::size_t end = name.rfind("::");
  return end == std::string::npos ? name : name.substr(end + 2);
}

// A constructor, which has the name of its class, or an operator.
bool ComesWithItsClass(const std::string& name) {
  const std::string last = LastName(name);
  const std::size_t end = name.size() - last.size();
  return last.starts_with("operator") || last.starts_with('~') ||
         (end >= 2 && LastName(name.substr(0, end - 2)) == last);
}

// Whether a source has the name, with a bracket behind it, beside its definition.
bool CallsItself(const std::string& code, const std::string& name) {
  const std::regex call("\\b" + LastName(name) + "\\(");
  return std::distance(std::sregex_iterator(code.begin(), code.end(), call),
                       std::sregex_iterator()) > 1;
}

}  // namespace

Functions FunctionsOfLibraries(std::string_view nm, std::string_view build_folder) {
  // build/common/csv/libcommon_csv.a:tokenizer.cc.o:0000000000000000 T millrace::csv::f(int)
  static const std::regex line_of(R"(^(.*)/[^/]*:([^:]*)\.o:[0-9a-f]+ T (millrace::.*)$)");
  Functions functions;
  for (const std::string& line : Lines(nm)) {
    std::smatch part;
    if (!line.starts_with(build_folder) || !std::regex_match(line, part, line_of)) {
      continue;
    }
    const std::string folder = part[1].str().substr(build_folder.size() + 1);
    if (!ComesWithItsClass(NameWithoutParameters(part[3].str()))) {
      functions.emplace(part[3].str(), folder + '/' + part[2].str());
    }
  }
  return functions;
}

std::set<std::string> FunctionsOfPrograms(std::string_view nm) {
  // A part of a function that the compiler set apart stands for the whole.
  static const std::regex line_of(R"(^.*:[0-9a-f]+ [tTwW] (millrace::.*?)( \[clone .*)?$)");
  std::set<std::string> functions;
  for (const std::string& line : Lines(nm)) {
    std::smatch part;
    if (std::regex_match(line, part, line_of)) {
      functions.insert(part[1].str());
    }
  }
  return functions;
}

std::string NameWithoutParameters(std::string_view function) {
  constexpr std::string_view kCall = "operator()";
  const std::size_t call = function.find(kCall);
  const std::size_t from = call == std::string_view::npos ? 0 : call + kCall.size();
  const std::string_view name = function.substr(0, function.find('(', from));
  return std::string(name.substr(0, name.find("[abi:")));
}

Findings WithoutCaller(const Functions& libraries,
                       const std::set<std::string>& programs,
                       const std::vector<SourceFile>& tree,
                       const std::map<std::string, std::string>& reasons) {
  Findings findings;
  std::set<std::string> allowed;
  for (const auto& [function, source] : libraries) {
    const std::string name = NameWithoutParameters(function);
    if (programs.contains(function) || CallsItself(CodeOnly(TextOf(tree, source)), name)) {
      continue;
    }
    if (reasons.contains(name)) {
      allowed.insert(name);
    } else {
      findings.push_back(fmt::format("{}: no program calls {}", source, function));
    }
  }
  for (const auto& [name, reason] : reasons) {
    if (!allowed.contains(name)) {
      findings.push_back(fmt::format("{} needs no reason: it is called, or is gone", name));
    }
  }
  return findings;
}

}  // namespace millrace::house
