// Reporter: where a worker says what it has to say.

#pragma once

#include <functional>
#include <string>
#include <utility>

#include <absl/status/status.h>

#include "millrace/training/v1/worker.pb.h"

namespace millrace::training {

/// Takes what a worker has to say while it works. An error ends the work with it.
using Reporter = std::function<absl::Status(const v1::WorkerReport&)>;

/// Reports something for a person to read.
inline absl::Status ReportNote(const Reporter& report, std::string text) {
  v1::WorkerReport message;
  message.set_note(std::move(text));
  return report(message);
}

}  // namespace millrace::training
