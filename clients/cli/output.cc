#include "clients/cli/output.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "common/status/check.h"

namespace millrace::cli {

namespace {

using Json = nlohmann::ordered_json;

// Whether no reader of YAML could take `text` for anything but a text.
bool IsPlain(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto inner = [&letter](char c) {
    return letter(c) || (c >= '0' && c <= '9') ||
           std::string_view("_-/@.").find(c) != std::string_view::npos;
  };
  if (text.empty() || !letter(text.front()) || !std::all_of(text.begin(), text.end(), inner)) {
    return false;
  }
  constexpr std::string_view kWords = " y n yes no on off true false null nan inf ";
  std::string lower = " ";
  for (const char c : text) {
    lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return kWords.find(lower + " ") == std::string_view::npos;
}

void EmitText(const std::string& text, YAML::Emitter& yaml) {
  if (!IsPlain(text)) {
    yaml << YAML::DoubleQuoted;
  }
  yaml << text;
}

void Emit(const Json& json, YAML::Emitter& yaml) {
  if (json.is_object()) {
    yaml << (json.empty() ? YAML::Flow : YAML::Block) << YAML::BeginMap;
    for (const auto& [key, value] : json.items()) {
      yaml << YAML::Key;
      EmitText(key, yaml);
      yaml << YAML::Value;
      Emit(value, yaml);
    }
    yaml << YAML::EndMap;
  } else if (json.is_array()) {
    yaml << (json.empty() ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
    for (const Json& value : json) {
      Emit(value, yaml);
    }
    yaml << YAML::EndSeq;
  } else if (json.is_string()) {
    EmitText(json.get_ref<const std::string&>(), yaml);
  } else if (json.is_null()) {
    yaml << YAML::Null;
  } else {
    yaml << json.dump();
  }
}

}  // namespace

std::vector<std::string> FormatWords() {
  return {"table", "wide", "json", "yaml", "name"};
}

Format ParseFormat(std::string_view word) {
  const std::vector<std::string> words = FormatWords();
  const auto found = std::find(words.begin(), words.end(), word);
  CHECK(found != words.end());
  return static_cast<Format>(found - words.begin());
}

std::string ToYaml(std::string_view json) {
  YAML::Emitter yaml;
  Emit(Json::parse(json), yaml);
  return std::string(yaml.c_str(), yaml.size()) + "\n";
}

std::string Form(const Result& result, Format format) {
  switch (format) {
    case Format::kJson:
      return result.json;
    case Format::kYaml:
      return ToYaml(result.json);
    case Format::kName: {
      std::string lines;
      for (const std::string& name : result.names) {
        lines += name + "\n";
      }
      return lines;
    }
    case Format::kTable:
    case Format::kWide:
      break;
  }
  return result.text;
}

}  // namespace millrace::cli
