// YamlTree: a YAML document as a tree with positions, within limits.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace millrace::config {

/// A node and all below it. `items` are those of a list, or keys and values of a map by turns.
struct YamlNode {
  enum class Kind { kNothing, kScalar, kList, kMap };

  Kind kind = Kind::kNothing;
  int line = 0;    // from 1
  int column = 0;  // from 1
  std::string text;
  std::vector<YamlNode> items;
};

/// What a node is, for messages: "a list".
std::string_view KindName(YamlNode::Kind kind);

/// `{source}:{line}:{column}`.
std::string PlaceOf(std::string_view source, const YamlNode& node);

/// Reads one document; an empty one is kNothing. INVALID_ARGUMENT with the position.
absl::StatusOr<YamlNode> ParseYaml(std::string_view source, std::string_view yaml);

}  // namespace millrace::config
