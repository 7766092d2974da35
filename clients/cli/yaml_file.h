// YamlFile: a message from a file, and single fields from words.

#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/message.h>

namespace millrace::cli {

/// Fills `message` from the YAML file at `path`. NOT_FOUND when there is none, INVALID_ARGUMENT
/// when it says nothing, and what config::FillFromYaml says.
absl::Status ReadYaml(const std::string& path, google::protobuf::Message& message);

/// Applies words `path.to.field=value`, in order.
absl::Status Override(const std::vector<std::string>& words, google::protobuf::Message& message);

}  // namespace millrace::cli
