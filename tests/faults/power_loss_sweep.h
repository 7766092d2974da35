// PowerLossSweep: a flow, and a power cut before each of its operations on the disk, in turn.

#pragma once

#include <string>
#include <vector>

#include "tests/faults/flow.h"

namespace millrace::faults {

struct PowerLossSweep {
  int points = 0;                     // operations before which the power went out, and the end
  int disks = 0;                      // that one could find afterwards
  std::vector<std::string> failures;  // empty when the flow is safe
};

/// Runs the flow on a PowerLossDisk, with its catalogs on PowerLossCatalogs, until the power goes
/// out, for each operation of either and after the last, and tries every Loss (of many pending
/// changes: none, all, each beginning of them) and every CatalogLoss. The
/// state that is found must be the old one or the new one, the new one where it was acknowledged,
/// and nothing in it damaged; the operation must succeed when it is repeated, and outlive the next
/// power cut. The same where the process was killed first and the power went out after the
/// repetition: what the killed one left unsynced must not be built upon.
///
/// On the real disk are only locks and the empty files that stand for catalogs. `folder` exists and
/// is empty.
PowerLossSweep SweepPowerLoss(const Flow& flow, const std::string& folder);

}  // namespace millrace::faults
