// Spelling: values as people read and write them: enum words, numbers, times, sizes.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <absl/status/statusor.h>
#include <google/protobuf/generated_enum_reflection.h>
#include <google/protobuf/timestamp.pb.h>

#include "millrace/schema/v1/schema.pb.h"

namespace millrace::cli {

/// `min_max` for SCALING_MIN_MAX; the number itself for one that this build does not know.
std::string EnumWord(const google::protobuf::EnumDescriptor& type, int value);

/// The reverse. A usage error that names `flag` and the closest word for any other text.
absl::StatusOr<int> ParseEnumWord(const google::protobuf::EnumDescriptor& type,
                                  std::string_view flag,
                                  std::string_view word);

template <typename Enum>

requires std::is_enum_v<Enum> std::string Spell(Enum value) {
  return EnumWord(*google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

/// Four significant digits, and all digits before the point.
std::string Spell(double value);

/// A number of a column of `type`: of times, the time.
std::string SpellCell(double value, schema::v1::ColumnType type);

/// `2024-05-01 12:30:05` in UTC, or empty when not set. Where `exact`, RFC 3339 with all digits:
/// `2024-05-01T12:30:05.250Z`.
std::string Spell(const google::protobuf::Timestamp& time, bool exact = false);

/// `124 kB`: the unit that leaves one to three digits before the point. Where `exact`, the number.
std::string SpellBytes(std::int64_t bytes, bool exact = false);

/// The first 12 digits of a digest; all where `exact`.
std::string ShortDigest(std::string_view sha256, bool exact = false);

}  // namespace millrace::cli
