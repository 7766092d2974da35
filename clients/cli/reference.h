// Reference: how people name versions, `patients@3`, and how services do,
// `datasets/patients/versions/3`.

#pragma once

#include <string>
#include <string_view>

namespace millrace::cli {

/// `patients` -> `datasets/patients`; `patients@3` -> `datasets/patients/versions/3`;
/// `patients@sha256:...` likewise. What already starts with `{collection}/` stays. Whether the name
/// is a good one is the service's to say.
std::string FullName(std::string_view collection, std::string_view reference);

/// The reverse; anything else comes back as it is.
std::string ShortName(std::string_view name);

}  // namespace millrace::cli
