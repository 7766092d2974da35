// ExampleReader: the examples of a split as messages, one at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"

#include "services/data/read/examples.h"

namespace millrace::data {

constexpr std::size_t kMessageBytesMax = std::size_t{1} << 20U;

/// Encodes the rows that a request asks for, batch by batch, as they are pulled: a slow reader
/// costs one message of memory. The order is that of the file, or a permutation drawn from the
/// request's seed; of it a shard has every shard_count-th example. Not thread-safe.
class ExampleReader {
 public:
  /// INVALID_ARGUMENT for a split, batch size or shard out of range; FAILED_PRECONDITION when one
  /// example is over kMessageBytesMax.
  static absl::StatusOr<ExampleReader> Create(std::shared_ptr<const Examples> examples,
                                              const v1::ReadExamplesRequest& request);

  /// What it takes beside the examples: its order, a batch and a message.
  [[nodiscard]] std::int64_t own_bytes() const {
    return static_cast<std::int64_t>(rows_.size() * sizeof(std::int64_t) + 3 * kMessageBytesMax);
  }

  /// Keeps the share of that.
  void Keep(ReadBudget::Share share) { share_ = std::move(share); }

  /// Fills the next message of at most kMessageBytesMax of tensors; false after the last one.
  absl::StatusOr<bool> Next(v1::ReadExamplesResponse& response);

 private:
  ExampleReader(std::shared_ptr<const Examples> examples, std::vector<std::int64_t> rows)
      : examples_(std::move(examples)),
        rows_(std::move(rows)) {}

  std::shared_ptr<const Examples> examples_;
  std::vector<std::int64_t> rows_;  // of this shard, in order
  std::size_t batch_size_ = 0;
  std::size_t message_rows_max_ = 0;
  std::size_t next_ = 0;  // into rows_
  std::vector<float> features_;
  std::vector<float> labels_;
  ReadBudget::Share share_;
};

}  // namespace millrace::data
