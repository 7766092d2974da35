// ResourceNames: what there is at the services, asked in a moment or not at all: for completion and
// for guesses at what was meant.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "clients/cli/connection_options.h"

namespace millrace::cli {

/// Short names of what is in `collection` (datasets, models, runs, uploads, contexts), newest
/// first, none twice; with `versions`, NAME@VERSION too. Up to 1,000 versions are looked at. Empty
/// when the service does not answer within a second.
std::vector<std::string> ResourceNames(const absl::StatusOr<Endpoints>& endpoints,
                                       std::string_view collection,
                                       bool versions);

/// `status`, with a guess as its fix where it is NOT_FOUND and names a thing of a collection
/// (`datasets/patinets`, or `dataset 'patinets'`) that is almost one that exists.
absl::Status WithGuess(absl::Status status, const absl::StatusOr<Endpoints>& endpoints);

}  // namespace millrace::cli
