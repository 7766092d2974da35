#include "services/training/fetch/fetch.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "common/patience/passing.h"
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
    context_.set_wait_for_ready(false);  // to be away is an answer, and told while we wait
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

  // Whatever was taken before is read once more.
  void BeginAgain() { taken_ = 0; }

  [[nodiscard]] std::int64_t bytes() const {
    return count_ * (inputs_ + 1) * static_cast<std::int64_t>(sizeof(float));
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

// A stopped call's status is ours to name; any other is the peer's, and may pass by itself.
Patience::Attempt AttemptOf(const grpc::Status& status,
                            const std::stop_token& stop,
                            std::string_view doing) {
  if (status.ok()) {
    return {};
  }
  if (stop.stop_requested()) {
    return {.status = Cancelled("{} was stopped", doing)};
  }
  const absl::Status error = FromGrpcStatus(status);
  return {.status = Annotate(error, doing),
          .reason = IsPassing(error) ? WaitReason("the data service", error) : ""};
}

using Stub = data::v1::DataService::StubInterface;

// A dataset version on its way; the three calls of Fetch() share this.
struct Source {
  Stub& data_service;
  const FetchOptions& options;
  Patience& patience;
  const std::stop_token& stop;
};

absl::Status AskFor(const Source& source, const std::string& name, DatasetVersion& version) {
  data::v1::GetDatasetRequest request;
  request.set_name(name);
  return source.patience.Try([&] {
    Call call(source.options.answer_timeout, source.options.request_id, source.stop);
    return AttemptOf(source.data_service.GetDataset(call.context(), request, &version),
                     source.stop,
                     fmt::format("asking the data service for {}", name));
  });
}

absl::Status AskForStatistics(const Source& source,
                              const std::string& name,
                              schema::v1::Statistics& train) {
  data::v1::GetStatisticsRequest request;
  request.set_name(name);
  data::v1::GetStatisticsResponse response;
  RETURN_IF_ERROR(source.patience.Try([&] {
    Call call(source.options.answer_timeout, source.options.request_id, source.stop);
    return AttemptOf(source.data_service.GetStatistics(call.context(), request, &response),
                     source.stop,
                     fmt::format("asking for the statistics of {}", name));
  }));
  train = std::move(*response.mutable_train());
  return absl::OkStatus();
}

Patience::Attempt ReadOnce(const Source& source,
                           const DatasetVersion& version,
                           Split split,
                           SplitReader& reader) {
  data::v1::ReadExamplesRequest request;
  request.set_name(version.name());
  request.set_split(split);
  request.set_batch_size(kBatchSize);
  Call call(source.options.stream_timeout + std::chrono::seconds(reader.bytes() >> 20),
            source.options.request_id,
            source.stop);
  const auto stream = source.data_service.ReadExamples(call.context(), request);
  data::v1::ReadExamplesResponse batch;
  absl::Status taken;
  while (taken.ok() && stream->Read(&batch)) {
    taken = reader.Take(batch);
  }
  if (!taken.ok()) {
    call.context()->TryCancel();
  }
  const grpc::Status status = stream->Finish();
  return taken.ok() ? AttemptOf(status,
                                source.stop,
                                fmt::format(
                                    "reading the {} split of {}", SplitName(split), version.name()))
                    : Patience::Attempt{.status = taken};
}

absl::StatusOr<Examples> ReadSplit(const Source& source,
                                   const DatasetVersion& version,
                                   Split split) {
  SplitReader reader(version, split, CountOf(version, split));
  if (CountOf(version, split) > 0) {
    RETURN_IF_ERROR(source.patience.Try([&] {
      reader.BeginAgain();
      return ReadOnce(source, version, split, reader);
    }));
  }
  return reader.Finish();
}

}  // namespace

absl::StatusOr<FetchedDataset> Fetch(Stub& data_service,
                                     const std::string& name,
                                     const FetchOptions& options,
                                     Patience& patience,
                                     const std::stop_token& stop) {
  const Source source{
      .data_service = data_service, .options = options, .patience = patience, .stop = stop};
  FetchedDataset dataset;
  RETURN_IF_ERROR(AskFor(source, name, dataset.version));
  RETURN_IF_ERROR(CheckVersion(dataset.version, options));
  RETURN_IF_ERROR(AskForStatistics(source, dataset.version.name(), dataset.train_statistics));
  const auto read = [&](Split split) { return ReadSplit(source, dataset.version, split); };
  ASSIGN_OR_RETURN(dataset.train, read(schema::v1::SPLIT_TRAIN));
  ASSIGN_OR_RETURN(dataset.validation, read(schema::v1::SPLIT_VALIDATION));
  ASSIGN_OR_RETURN(dataset.test, read(schema::v1::SPLIT_TEST));
  return dataset;
}

}  // namespace millrace::training
