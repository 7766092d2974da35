#include "services/training/fetch/fetch.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "common/rpc/channel.h"
#include "common/rpc/request_id.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::training {

namespace {

using data::v1::DatasetVersion;
using schema::v1::Split;

constexpr std::int32_t kBatchSize = 1024;

std::size_t Size(std::int64_t count) {
  return static_cast<std::size_t>(count);
}

// A call that ends when `stop` is requested.
class Call {
 public:
  Call(std::chrono::milliseconds timeout,
       const std::string& request_id,
       const std::stop_token& stop)
      : cancel_(stop, Cancel{&context_}) {
    rpc::SetDeadline(context_, timeout);
    rpc::SetRequestId(context_, request_id);
  }

  [[nodiscard]] grpc::ClientContext* context() { return &context_; }

 private:
  struct Cancel {
    grpc::ClientContext* context;

    void operator()() const { context->TryCancel(); }
  };

  grpc::ClientContext context_;
  std::stop_callback<Cancel> cancel_;
};

std::string_view SplitName(Split split) {
  switch (split) {
    case schema::v1::SPLIT_TRAIN:
      return "train";
    case schema::v1::SPLIT_VALIDATION:
      return "validation";
    default:
      return "test";
  }
}

std::int64_t CountOf(const DatasetVersion& version, Split split) {
  switch (split) {
    case schema::v1::SPLIT_TRAIN:
      return version.train_count();
    case schema::v1::SPLIT_VALIDATION:
      return version.validation_count();
    default:
      return version.test_count();
  }
}

// One split on its way into memory.
class SplitReader {
 public:
  SplitReader(const DatasetVersion& version, Split split, std::int64_t count)
      : split_(split),
        count_(count),
        inputs_(version.transforms().input_count()),
        classes_(version.transforms().label().classes_size()) {
    examples_.x.resize(Size(count_ * inputs_));
    examples_.labels.resize(Size(count_));
  }

  absl::Status Take(const data::v1::ReadExamplesResponse& batch) {
    const std::int64_t rows = batch.example_count();
    if (rows < 0 || rows > count_ - taken_) {
      return Mismatch(fmt::format("{} examples", count_), fmt::format("{} or more", taken_ + rows));
    }
    if (batch.features().size() != Size(rows * inputs_) * sizeof(float) ||
        batch.labels().size() != Size(rows) * sizeof(float)) {
      return Mismatch(
          fmt::format("{} rows of {} inputs and a label", rows, inputs_),
          fmt::format("{} and {} bytes", batch.features().size(), batch.labels().size()));
    }
    // Little-endian, as every machine is that this is built for.
    std::copy_n(batch.features().data(),
                batch.features().size(),
                reinterpret_cast<char*>(examples_.x.data() + taken_ * inputs_));
    std::copy_n(batch.labels().data(),
                batch.labels().size(),
                reinterpret_cast<char*>(examples_.labels.data() + taken_));
    taken_ += rows;
    return CheckValues(taken_ - rows);
  }

  absl::StatusOr<Examples> Finish() {
    if (taken_ != count_) {
      return Mismatch(fmt::format("{} examples", count_), fmt::format("{}", taken_));
    }
    return std::move(examples_);
  }

 private:
  [[nodiscard]] absl::Status Mismatch(std::string_view expected, std::string_view found) const {
    return DataLoss(
        "the data service's {} split differs from its description: expected {}, found {}",
        SplitName(split_),
        expected,
        found);
  }

  [[nodiscard]] absl::Status CheckValues(std::int64_t first) const {
    for (std::int64_t row = first; row < taken_; ++row) {
      const float label = examples_.labels[Size(row)];
      const bool is_class =
          label >= 0 && label < static_cast<float>(classes_) && label == std::floor(label);
      if (!std::isfinite(label) || (classes_ > 0 && !is_class)) {
        return Mismatch(classes_ > 0 ? fmt::format("labels in [0, {})", classes_) : "finite labels",
                        fmt::format("{} at example {}", label, row));
      }
    }
    const auto begin = examples_.x.begin() + first * inputs_;
    const auto end = examples_.x.begin() + taken_ * inputs_;
    const auto wrong = std::find_if(begin, end, [](float x) { return !std::isfinite(x); });
    if (wrong != end) {
      return Mismatch("finite inputs",
                      fmt::format("{} at example {}", *wrong, first + (wrong - begin) / inputs_));
    }
    return absl::OkStatus();
  }

  Split split_;
  std::int64_t count_;
  std::int64_t inputs_;
  std::int64_t classes_;  // 0 for a regression
  std::int64_t taken_ = 0;
  Examples examples_;
};

absl::Status CheckVersion(const DatasetVersion& version, const FetchOptions& options) {
  if (version.transforms().task() == schema::v1::TASK_UNSPECIFIED) {
    return WithFix(
        FailedPrecondition("{} has no label, so there is nothing to learn", version.name()),
        "import it again and name the column to learn as its label");
  }
  if (version.train_count() <= 0) {
    return FailedPrecondition("{} has no train examples", version.name());
  }
  // In double, so that no promise of a peer overflows.
  const double rows = static_cast<double>(version.train_count()) +
                      static_cast<double>(version.validation_count()) +
                      static_cast<double>(version.test_count());
  const double bytes =
      rows * (static_cast<double>(version.transforms().input_count()) + 1) * sizeof(float);
  if (version.transforms().input_count() <= 0 || version.validation_count() < 0 ||
      version.test_count() < 0) {
    return DataLoss("the data service's description of {} has no inputs or a negative count",
                    version.name());
  }
  if (bytes > static_cast<double>(options.bytes_max)) {
    return WithFix(
        ResourceExhausted("{} takes {:.0f} bytes in memory, more than the limit of {}",
                          version.name(),
                          bytes,
                          options.bytes_max),
        "raise examples_bytes_max of the training service, or import fewer rows or columns");
  }
  return absl::OkStatus();
}

// A stopped call's status is ours to name; any other is the peer's.
absl::Status StatusOf(const grpc::Status& status,
                      const std::stop_token& stop,
                      std::string_view doing) {
  if (!status.ok() && stop.stop_requested()) {
    return Cancelled("{} was stopped", doing);
  }
  return status.ok() ? absl::OkStatus() : Annotate(FromGrpcStatus(status), doing);
}

using Stub = data::v1::DataService::StubInterface;

absl::StatusOr<Examples> ReadSplit(Stub& data_service,
                                   const DatasetVersion& version,
                                   Split split,
                                   const FetchOptions& options,
                                   const std::stop_token& stop) {
  const std::int64_t count = CountOf(version, split);
  SplitReader reader(version, split, count);
  if (count == 0) {
    return reader.Finish();
  }
  data::v1::ReadExamplesRequest request;
  request.set_name(version.name());
  request.set_split(split);
  request.set_batch_size(kBatchSize);
  Call call(options.stream_timeout, options.request_id, stop);
  const auto stream = data_service.ReadExamples(call.context(), request);
  data::v1::ReadExamplesResponse batch;
  absl::Status taken;
  while (taken.ok() && stream->Read(&batch)) {
    taken = reader.Take(batch);
  }
  if (!taken.ok()) {
    call.context()->TryCancel();
  }
  const grpc::Status status = stream->Finish();
  RETURN_IF_ERROR(taken);
  RETURN_IF_ERROR(StatusOf(
      status, stop, fmt::format("reading the {} split of {}", SplitName(split), version.name())));
  return reader.Finish();
}

}  // namespace

absl::StatusOr<FetchedDataset> Fetch(Stub& data_service,
                                     const std::string& name,
                                     const FetchOptions& options,
                                     const std::stop_token& stop) {
  FetchedDataset dataset;
  {
    data::v1::GetDatasetRequest request;
    request.set_name(name);
    Call call(options.answer_timeout, options.request_id, stop);
    RETURN_IF_ERROR(StatusOf(data_service.GetDataset(call.context(), request, &dataset.version),
                             stop,
                             fmt::format("asking the data service for {}", name)));
  }
  RETURN_IF_ERROR(CheckVersion(dataset.version, options));
  {
    data::v1::GetStatisticsRequest request;
    request.set_name(dataset.version.name());
    data::v1::GetStatisticsResponse response;
    Call call(options.answer_timeout, options.request_id, stop);
    RETURN_IF_ERROR(StatusOf(data_service.GetStatistics(call.context(), request, &response),
                             stop,
                             fmt::format("asking for the statistics of {}", name)));
    dataset.train_statistics = std::move(*response.mutable_train());
  }
  const auto read = [&](Split split) {
    return ReadSplit(data_service, dataset.version, split, options, stop);
  };
  ASSIGN_OR_RETURN(dataset.train, read(schema::v1::SPLIT_TRAIN));
  ASSIGN_OR_RETURN(dataset.validation, read(schema::v1::SPLIT_VALIDATION));
  ASSIGN_OR_RETURN(dataset.test, read(schema::v1::SPLIT_TEST));
  return dataset;
}

}  // namespace millrace::training
