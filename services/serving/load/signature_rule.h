// SignatureRule: what may become the next version of a model.

#pragma once

#include <absl/status/status.h>

#include "millrace/serving/v1/serving_service.pb.h"

namespace millrace::serving {

/// Whether callers of a model with the signature `oldest` can be answered by a version with `next`:
/// the same features of the same kinds, in any order, where whole numbers and fractions are one
/// kind; the same label, task and positive class; every class of `oldest`, others may be added.
/// FAILED_PRECONDITION names up to three differences.
absl::Status CheckFits(const v1::ModelSignature& oldest, const v1::ModelSignature& next);

/// Whether two signatures are equal but for the order of their features.
bool IsSameSignature(const v1::ModelSignature& a, const v1::ModelSignature& b);

}  // namespace millrace::serving
