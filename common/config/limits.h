// Limits: the ranges and defaults that the fields of a configuration carry (config/v1/limit.proto).

#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/message.h>

#include "millrace/config/v1/limit.pb.h"

namespace millrace::config {

/// A field's limit and its dotted path, "limits.columns_max".
struct NamedLimit {
  std::string path;
  v1::Limit limit;
};

/// The limits of all settings, in the order of the message.
std::vector<NamedLimit> LimitsOf(const google::protobuf::Message& config);

/// Sets every field that has a limit to its default.
void FillLimits(google::protobuf::Message& config);

/// INVALID_ARGUMENT that names the first field out of its range: "limits.columns_max must be in
/// [1, 16384], found 0", and what the limit bounds.
absl::Status CheckLimits(const google::protobuf::Message& config);

}  // namespace millrace::config
