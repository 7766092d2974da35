// Sending: a file on its way to a service, as the command line shows it.

#pragma once

#include <string>

#include "clients/cli/input_file.h"
#include "clients/cli/progress.h"
#include "clients/cli/shell.h"
#include "common/transfer/sender.h"
#include "common/transfer/upload_call.h"

namespace millrace::cli {

/// The bytes of `input`, which must outlive it.
transfer::Source SourceOf(InputFile& input);

/// Moves `progress` on, says `closing` once all is sent ("reading, cleaning and splitting"), and
/// notes where the stream breaks and goes on. `shell` and `progress` must outlive it.
transfer::UploadOptions SendingOptions(Shell& shell, Progress& progress, std::string closing);

}  // namespace millrace::cli
