// KillSweep: a flow, killed at each system call that changes the disk, in turn.

#pragma once

#include <string>
#include <vector>

#include "tests/faults/flow.h"

namespace millrace::faults {

/// The `ordinal`-th call of that name, counted from 1 within the one thread.
struct KillPoint {
  std::string call;
  int ordinal = 0;
};

struct KillSweep {
  int points = 0;                     // that were tried
  std::vector<std::string> failures;  // each with its point; empty when the flow is safe
};

/// Runs flows as the program fault-flow under `strace -e inject`, in a folder of its own.
///
/// A kill point is a call that changes the disk (openat only where it may create), as an
/// undisturbed run made them; the process is killed when it enters the call. Afterwards the state
/// must be the old one or the new one, and the new one where it was acknowledged; describing it
/// must find nothing damaged, and the operation must succeed when it is repeated. A point at which
/// the process was not killed is a failure: the sweep would have tested nothing.
///
/// What a kill cannot show is what was never synced: the page cache outlives the process. For that
/// there is power_loss_sweep.h.
class KillSweeper {
 public:
  /// `folder` exists and is empty.
  KillSweeper(Flow flow, std::string folder);

  /// All points of the flow, one after the other: a process that is being started holds our locks
  /// for a moment, so none may be while a state is looked at.
  KillSweep Run();

  /// One point: what is wrong, or empty. Requires: Run() was called.
  std::string Try(const KillPoint& point, const std::string& name);

 private:
  std::string Prepare();
  std::string PlanInto(std::vector<KillPoint>& points);
  std::string Check(const std::string& folder, bool acknowledged) const;

  Flow flow_;
  std::string folder_;
  std::string old_text_;
  std::string new_text_;
};

}  // namespace millrace::faults
