// Config: one protobuf message filled from YAML, then environment, then flags.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message.h>

namespace millrace::config {

/// Fills `message` from YAML whose keys are its fields' names.
///
/// Enum values are written in lower case without the type's prefix: `relu` for ACTIVATION_RELU.
/// A message whose only use is a choice (a oneof of messages) reads as `sgd: {learning_rate: 0.1}`,
/// or as a bare word for its defaults: `optimizer: adam`. A given list or map replaces the one that
/// was there. Anchors, aliases and tags are refused, as are more than 1 MiB, 64 levels or several
/// documents. Unknown keys and values fail with
/// INVALID_ARGUMENT: `{source}:{line}:{column}: unknown key 'epoch' in training`, and a fix that
/// names the closest known one. Repeated keys, wrong types and numbers out of the field's range
/// fail too. Nothing is changed on failure.
absl::Status FillFromYaml(std::string_view source,
                          std::string_view yaml,
                          google::protobuf::Message& message);

/// Fills scalar fields from variables `{prefix}_{FIELD}`, nested ones `{prefix}_{OUTER}_{INNER}`,
/// as in MILLRACE_DATA_ADDRESS. `environment` are "NAME=value" strings. Unknown names with the
/// prefix fail.
absl::Status FillFromEnvironment(std::string_view prefix,
                                 const std::vector<std::string>& environment,
                                 google::protobuf::Message& message);

/// Sets one scalar field by its dotted path from text: `limits.chunk_bytes_max`, "1048576".
absl::Status Set(std::string_view path, std::string_view text, google::protobuf::Message& message);

/// Of `candidates` the one nearest to `word` by edit distance (insert, delete, replace, swap of
/// neighbours), or empty when none is within a third of its length.
std::string Closest(std::string_view word, const std::vector<std::string>& candidates);

/// What main() of a service does with its words: `--config FILE`, then MILLRACE_{NAME}_* variables,
/// then `--{field} VALUE` or `--{field}=VALUE` (dashes for underscores; a boolean needs no value).
/// `--help`, `--version`, `--probe`, `--verify`, `--backup FOLDER` and `--restore FOLDER` are
/// reported through `action` for the caller to obey; with the first two nothing is filled.
struct Words {
  enum class Action { kRun, kHelp, kVersion, kProbe, kVerify, kBackup, kRestore };
  Action action = Action::kRun;
  std::string folder;  // of kBackup and kRestore
};

/// `words` are those after the program's own name. Nothing is changed on failure.
absl::StatusOr<Words> FillFromWords(std::string_view name,
                                    const std::vector<std::string>& words,
                                    const std::vector<std::string>& environment,
                                    google::protobuf::Message& message);

/// A help text made of the message's fields, one line each: flag, type, default.
std::string Help(std::string_view program, const google::protobuf::Message& defaults);

}  // namespace millrace::config
