#include "services/data/read/example_reader.h"

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

#include "common/clock/random.h"
#include "common/status/status.h"

namespace millrace::data {

namespace {

constexpr std::int32_t kBatchDefault = 1'024;
constexpr std::int32_t kBatchMax = 65'536;
constexpr std::int32_t kShardsMax = 4'096;

static_assert(std::endian::native == std::endian::little, "tensors travel little-endian");

// The shard's part of the split's rows.
std::vector<std::int64_t> RowsOfShard(const std::vector<std::int64_t>& split,
                                      const v1::ReadExamplesRequest& request) {
  const auto count = static_cast<std::size_t>(std::max(request.shard_count(), 1));
  const auto first = static_cast<std::size_t>(request.shard_index());
  std::vector<std::int64_t> order;
  if (request.has_shuffle_seed()) {
    order = Random(request.shuffle_seed()).Permutation(static_cast<std::int64_t>(split.size()));
  }
  std::vector<std::int64_t> rows;
  rows.reserve(split.size() / count + 1);
  for (std::size_t place = first; place < split.size(); place += count) {
    rows.push_back(order.empty() ? split[place] : split[static_cast<std::size_t>(order[place])]);
  }
  return rows;
}

absl::Status Check(const v1::ReadExamplesRequest& request) {
  if (request.batch_size() < 0 || request.batch_size() > kBatchMax) {
    return InvalidArgument(
        "batch_size must be in [0, {}], found {}", kBatchMax, request.batch_size());
  }
  if (request.shard_count() < 0 || request.shard_count() > kShardsMax) {
    return InvalidArgument(
        "shard_count must be in [0, {}], found {}", kShardsMax, request.shard_count());
  }
  const std::int32_t count = std::max(request.shard_count(), 1);
  if (request.shard_index() < 0 || request.shard_index() >= count) {
    return InvalidArgument(
        "shard_index must be in [0, {}), found {}", count, request.shard_index());
  }
  return absl::OkStatus();
}

std::string BytesOf(const std::vector<float>& numbers) {
  const auto bytes = std::as_bytes(std::span(numbers));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

absl::StatusOr<ExampleReader> ExampleReader::Create(std::shared_ptr<const Examples> examples,
                                                    const v1::ReadExamplesRequest& request) {
  RETURN_IF_ERROR(Check(request));
  const std::vector<std::int64_t>* const split = RowsOf(*examples, request.split());
  if (split == nullptr) {
    return InvalidArgument("split must be SPLIT_TRAIN, SPLIT_VALIDATION or SPLIT_TEST, found {}",
                           static_cast<int>(request.split()));
  }
  const bool labelled = examples->transformer.set().has_label();
  const auto inputs = static_cast<std::size_t>(examples->transformer.input_count());
  const std::size_t row_bytes = (inputs + (labelled ? 1 : 0)) * sizeof(float);
  if (row_bytes > kMessageBytesMax) {
    return WithFix(
        FailedPrecondition("an example of {} inputs takes {} bytes, a message has at most {}",
                           inputs,
                           row_bytes,
                           kMessageBytesMax),
        "drop columns, or categories of columns that have many");
  }
  ExampleReader reader(std::move(examples), RowsOfShard(*split, request));
  reader.batch_size_ =
      static_cast<std::size_t>(request.batch_size() == 0 ? kBatchDefault : request.batch_size());
  reader.message_rows_max_ = kMessageBytesMax / std::max<std::size_t>(row_bytes, 1);
  return reader;
}

absl::StatusOr<bool> ExampleReader::Next(v1::ReadExamplesResponse& response) {
  response.Clear();
  if (next_ == rows_.size()) {
    return false;
  }
  const std::size_t batch_end = std::min(rows_.size(), (next_ / batch_size_ + 1) * batch_size_);
  const std::size_t count = std::min(batch_end - next_, message_rows_max_);
  const std::span<const std::int64_t> rows = std::span(rows_).subspan(next_, count);
  const features::Transformer& transformer = examples_->transformer;
  features_.resize(count * static_cast<std::size_t>(transformer.input_count()));
  RETURN_IF_ERROR(transformer.Encode(examples_->table, rows, features_));
  response.set_features(BytesOf(features_));
  if (transformer.set().has_label()) {
    labels_.resize(count);
    RETURN_IF_ERROR(transformer.EncodeLabels(examples_->table, rows, labels_));
    response.set_labels(BytesOf(labels_));
  }
  next_ += count;
  response.set_example_count(static_cast<std::int32_t>(count));
  response.set_batch_end(next_ == batch_end);
  return true;
}

}  // namespace millrace::data
