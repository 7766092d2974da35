// Lineage: what a bundle says of where it comes from, and by whom.

#pragma once

#include <span>
#include <string>
#include <string_view>

namespace millrace::training {

/// Version and source revision of this program, as `0.1.0+86bdf2811c0a`; `-dirty` follows where the
/// sources had been changed, and the revision is `unknown` where there was none.
std::string_view BuildName();

/// SHA-256 of weights as they lie in a bundle, hexadecimal.
std::string WeightsSha256(std::span<const float> weights);

}  // namespace millrace::training
