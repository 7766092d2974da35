// Scalar: one value of a message's field, as a person writes it.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace millrace::config {

/// What a value of this field must be, for messages: "a whole number in [-2147483648, 2147483647]".
std::string Expected(const google::protobuf::FieldDescriptor& field);

/// The words for an enum's values: lower case, without the type's prefix, without the unspecified
/// one.
std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor& type);

/// Sets a singular field that is no message, or adds to a repeated one. INVALID_ARGUMENT: "{where}
/// must be {expected}, found '{text}'".
absl::Status PutScalar(const google::protobuf::FieldDescriptor& field,
                       std::string_view where,
                       std::string_view text,
                       google::protobuf::Message& message);

/// The value as PutScalar() would read it. Requires: a singular field that is no message.
std::string ScalarText(const google::protobuf::FieldDescriptor& field,
                       const google::protobuf::Message& message);

/// `text` cut to 64 bytes and without control characters, for messages.
std::string Shown(std::string_view text);

/// "did you mean 'epochs'?", or which words there are when none is near.
std::string Suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace millrace::config
