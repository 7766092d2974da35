// RunState: the legal moves of a run's life.

#pragma once

#include <string_view>

#include <absl/status/status.h>

#include "millrace/training/v1/training_service.pb.h"

namespace millrace::training {

/// Whether a run in this state has ended.
bool IsTerminal(v1::Run::State state);

/// As a person reads it: "queued", "running" and so on.
std::string_view StateName(v1::Run::State state);

/// Moves `run` to `to`:
///
///     queued -> running -> succeeded
///        |         |  \--> failed
///        |         v
///        |     cancelling -> succeeded   (it ended well before it heard)
///        v         v
///        \---> cancelled
///
/// Any other move is refused with FAILED_PRECONDITION and changes nothing. The only place that
/// writes Run.state.
absl::Status MoveTo(v1::Run::State to, v1::Run& run);

}  // namespace millrace::training
