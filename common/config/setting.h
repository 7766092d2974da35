// Setting: a singular scalar field of a message, by its dotted path.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace millrace::config {

/// Dotted paths of all settings, in the order of the message; those nested more than eight deep are
/// left out.
std::vector<std::string> SettingPaths(const google::protobuf::Message& message);

/// The field at `path`, or null when there is no such setting.
const google::protobuf::FieldDescriptor* FindSetting(std::string_view path,
                                                     const google::protobuf::Message& message);

/// INVALID_ARGUMENT with the closest setting as the fix.
absl::Status UnknownSetting(std::string_view path, const google::protobuf::Message& message);

/// The setting's value as text. Requires: FindSetting(path, message).
std::string SettingText(std::string_view path, const google::protobuf::Message& message);

}  // namespace millrace::config
