// DefaultSpec: how to learn where nobody says it.

#pragma once

#include <string>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/model/v1/training_spec.pb.h"

namespace millrace::cli {

/// A small network whose output and loss fit the task of `dataset`; it stops early where there is a
/// validation split to tell when.
model::v1::TrainingSpec DefaultSpec(const data::v1::DatasetVersion& dataset);

/// The spec in a line: `64 relu, 32 relu, 3 softmax; adam 0.001; batches of 32; up to 200 epochs`.
std::string SpecLine(const model::v1::TrainingSpec& spec);

}  // namespace millrace::cli
