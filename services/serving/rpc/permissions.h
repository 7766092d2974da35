// Permissions: what each method of serving asks of its caller.

#pragma once

#include "common/rpc/access.h"

namespace millrace::serving {

/// Readers ask: predictions, models, routes and their history. Writers bring models. Operators
/// decide what serves: a route moves the traffic of everybody, and a deletion cannot be undone.
rpc::Permissions ServingPermissions();

}  // namespace millrace::serving
