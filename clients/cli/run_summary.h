// RunSummary: one run on a screen.

#pragma once

#include <string>

#include "millrace/training/v1/training_service.pb.h"

namespace millrace::cli {

/// What it learned from, how, and with which figures.
std::string RunSummary(const training::v1::Run& run);

}  // namespace millrace::cli
