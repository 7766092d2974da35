// RunSummary: one run on a screen.

#pragma once

#include <string>

#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/table.h"

namespace millrace::cli {

/// What it learned from, how, and with which figures; what it waits for or why it failed.
std::string RunSummary(const training::v1::Run& run, TableStyle style = {});

/// The same of a run that was followed to its end: why it failed is told by the error behind it.
std::string EndedRunSummary(training::v1::Run run, TableStyle style = {});

}  // namespace millrace::cli
