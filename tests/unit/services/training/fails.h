// Fails: expects an error by its code and a phrase of its message.

#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gmock/gmock.h>

#include "common/status/status.h"

namespace millrace::training {

inline absl::Status StatusOf(const absl::Status& status) {
  return status;
}

template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

/// Matches an absl::Status or StatusOr of this code whose message contains `phrase`.
MATCHER_P2(Fails, code, phrase, "") {
  const absl::Status status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code && std::string(Message(status)).find(phrase) != std::string::npos;
}

}  // namespace millrace::training
