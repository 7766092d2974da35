// Line: how one change stands in the audit log, and how lines hold each other.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace millrace::audit {

/// One change: who did what to what, and how it ended. Never holds a value of the data.
struct Change {
  std::string caller;      // as rpc::Caller() tells it
  std::string request_id;  // empty when the call had none
  std::string method;      // "millrace.data.v1.DataService/DeleteDataset"
  std::string resource;    // "datasets/iris/versions/3"
  std::string outcome;     // "OK", or the code of the error
};

/// Where a line stands in the chain: lines so far, and the digest of the last one.
struct Position {
  std::int64_t sequence = 0;
  std::string digest = std::string(64, '0');  // hexadecimal; zeros before the first line
};

/// The line after `position`, without its line end, and moves `position` to it. One JSON object of
/// sequence, time (RFC 3339, UTC, milliseconds), caller, request_id, method, resource, outcome,
/// previous and digest: previous is the digest of the line before, digest the SHA-256 of the line
/// itself up to its own value. Everything but printable ASCII is escaped, so a value cannot begin a
/// line or a key; values are cut to 256 bytes.
std::string FormatLine(const Change& change,
                       std::chrono::system_clock::time_point time,
                       Position& position);

/// The line that stands for all up to `position`, which were removed. It has their last sequence,
/// and their last digest as `previous`; the line that follows continues that, not this line.
std::string FormatRetention(std::chrono::system_clock::time_point time, const Position& position);

/// What a line says of itself.
struct LineHead {
  std::int64_t sequence = 0;
  std::string previous;  // digest of the line before
  std::chrono::system_clock::time_point time;
  bool is_retention = false;
};

/// DATA_LOSS when it is no line, or not what was written.
absl::StatusOr<LineHead> ReadHead(std::string_view line);

/// Moves `position` to `line`, or DATA_LOSS that says why the line is not the next one.
absl::Status FollowLine(std::string_view line, Position& position);

}  // namespace millrace::audit
