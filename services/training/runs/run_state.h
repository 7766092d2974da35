// RunState: the legal moves of a run's life.

#pragma once

#include <string_view>

#include <absl/status/status.h>

#include "millrace/training/v1/training_service.pb.h"

namespace millrace::training {

/// Whether a run in this state has ended for good.
bool IsTerminal(v1::Run::State state);

/// Whether nothing happens to a run in this state by itself: it has ended, or is unpublished.
bool IsAtRest(v1::Run::State state);

/// As a person reads it: "queued", "running" and so on.
std::string_view StateName(v1::Run::State state);

/// Moves `run` to `to`:
///
///     queued -> running <-> waiting      (for a peer, or room on the disk)
///        |       |  |  \---> failed <--- (from waiting, too)
///        |       |  |
///        |       |  \--> publishing -> succeeded
///        |       v            |  ^
///        |   cancelling       v  |
///        |       |       unpublished    (from running, too: the gate)
///        v       v
///        \---> cancelled
///
/// A waiting run can be cancelled as a running one, and waiting and publishing ones may be moved to
/// where they are, when their reason changes. A publishing one that is cancelled is unpublished;
/// one that had a result when it was cancelled is cancelled all the same.
///
/// Any other move is refused with FAILED_PRECONDITION and changes nothing. The only place that
/// writes Run.state.
absl::Status MoveTo(v1::Run::State to, v1::Run& run);

}  // namespace millrace::training
