// Signature: what a model asks of a row and what it says of it.

#pragma once

#include "millrace/schema/v1/transforms.pb.h"
#include "millrace/serving/v1/serving_service.pb.h"

namespace millrace::model {

/// That of every model with these transforms: features in their order, label, task and classes; the
/// positive class of two is the one whose probability the network gives, the last. Without a label
/// there are neither label nor classes. Before training they are those of the dataset version, in a
/// bundle those of its manifest.
serving::v1::ModelSignature SignatureOf(const schema::v1::TransformSet& transforms);

}  // namespace millrace::model
