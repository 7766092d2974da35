// Lineage: what a bundle says of where it comes from.

#pragma once

#include <span>
#include <string>

namespace millrace::training {

/// SHA-256 of weights as they lie in a bundle, hexadecimal.
std::string WeightsSha256(std::span<const float> weights);

}  // namespace millrace::training
