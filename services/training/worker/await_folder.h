// AwaitFolder: a run's folder for one worker at a time.

#pragma once

#include <chrono>
#include <stop_token>
#include <string>

#include <absl/status/statusor.h>

#include "common/storage/file_system.h"

namespace millrace::training {

/// Takes the lock of `folder`, and waits up to `timeout` while another process holds it: the worker
/// of a service that was killed ends when its pipe closes, which may be a moment after the next one
/// was started. FAILED_PRECONDITION when it is still held then; CANCELLED when `stop` is requested.
absl::StatusOr<storage::FolderLock> AwaitFolder(const std::string& folder,
                                                std::chrono::milliseconds timeout,
                                                const std::stop_token& stop);

}  // namespace millrace::training
