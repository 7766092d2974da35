// ExampleDataService: a data service with one small dataset in memory, that can be told to err.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.grpc.pb.h"

namespace millrace::training {

/// Knows `datasets/points/versions/1`: points (a, b) of the unit square on a grid, labelled by
/// whether a + b > 1; 96 train, 16 validation and 16 test examples. Answers to `datasets/points`
/// too, as the newest version. Synchronous, which is enough for a test.
class ExampleDataService final : public data::v1::DataService::Service {
 public:
  ExampleDataService() {
    version_.set_name("datasets/points/versions/1");
    version_.set_sha256(std::string(64, 'd'));
    version_.set_train_count(96);
    version_.set_validation_count(16);
    version_.set_test_count(16);
    auto& source = *version_.add_sources();
    source.set_name("points.csv");
    source.set_sha256(std::string(64, '5'));
    source.set_size_bytes(2048);
    auto& transforms = *version_.mutable_transforms();
    for (const char* name : {"a", "b"}) {
      auto& column = *version_.mutable_schema()->add_columns();
      column.set_name(name);
      column.set_type(schema::v1::COLUMN_TYPE_REAL);
      column.set_role(schema::v1::COLUMN_ROLE_FEATURE);
      auto& feature = *transforms.add_features();
      *feature.mutable_column() = column;
      feature.set_number(0.5);
      feature.mutable_linear()->set_scale(1);
    }
    auto& label = *version_.mutable_schema()->add_columns();
    label.set_name("side");
    label.set_type(schema::v1::COLUMN_TYPE_CATEGORY);
    label.set_role(schema::v1::COLUMN_ROLE_LABEL);
    version_.mutable_schema()->set_task(schema::v1::TASK_BINARY);
    transforms.set_input_count(2);
    transforms.set_task(schema::v1::TASK_BINARY);
    *transforms.mutable_label()->mutable_column() = label;
    transforms.mutable_label()->add_classes("above");
    transforms.mutable_label()->add_classes("below");
  }

  /// More examples of validation, for a server that has started.
  void set_validation_count(std::int64_t count) {
    version_.set_validation_count(count);
    version_.set_sha256(std::string(64, 'e'));
  }

  /// May be changed before the server starts.
  data::v1::DatasetVersion& version() { return version_; }

  /// Called with each message of examples before it is sent; for lies.
  std::function<void(data::v1::ReadExamplesResponse&)> spoil;

  /// Called after each message of examples; true breaks the stream off.
  std::function<bool()> break_after;

  /// Called when the dataset is asked for; what is not OK is the call's answer.
  std::function<grpc::Status()> before_answer;

  /// Called when a split is asked for; what is not OK is the call's answer.
  std::function<grpc::Status(schema::v1::Split, grpc::ServerContext&)> before_examples;

  grpc::Status GetDataset(grpc::ServerContext* /*context*/,
                          const data::v1::GetDatasetRequest* request,
                          data::v1::DatasetVersion* response) override {
    if (before_answer) {
      grpc::Status status = before_answer();
      if (!status.ok()) {
        return status;
      }
    }
    if (request->name() != "datasets/points" && request->name() != version_.name()) {
      return {grpc::StatusCode::NOT_FOUND, "there is no " + request->name()};
    }
    *response = version_;
    return grpc::Status::OK;
  }

  grpc::Status GetStatistics(grpc::ServerContext* /*context*/,
                             const data::v1::GetStatisticsRequest* /*request*/,
                             data::v1::GetStatisticsResponse* response) override {
    response->mutable_train()->set_row_count(version_.train_count());
    response->mutable_raw()->set_row_count(-1);  // not to be taken for those of train
    return grpc::Status::OK;
  }

  grpc::Status ReadExamples(grpc::ServerContext* context,
                            const data::v1::ReadExamplesRequest* request,
                            grpc::ServerWriter<data::v1::ReadExamplesResponse>* writer) override {
    if (before_examples) {
      grpc::Status status = before_examples(request->split(), *context);
      if (!status.ok()) {
        return status;
      }
    }
    // Messages of 7 examples, so that each split takes several and the last is shorter.
    const std::int64_t count = CountOf(request->split());
    for (std::int64_t first = 0; first < count; first += 7) {
      data::v1::ReadExamplesResponse response;
      for (std::int64_t i = first; i < std::min(first + 7, count); ++i) {
        Append(i + std::int64_t{1000} * request->split(), response);
      }
      if (spoil) {
        spoil(response);
      }
      writer->Write(response);
      if (break_after && break_after()) {
        return {grpc::StatusCode::UNAVAILABLE, "Socket closed"};
      }
    }
    return grpc::Status::OK;
  }

 private:
  [[nodiscard]] std::int64_t CountOf(schema::v1::Split split) const {
    switch (split) {
      case schema::v1::SPLIT_TRAIN:
        return 96;
      case schema::v1::SPLIT_VALIDATION:
        return std::max<std::int64_t>(version_.validation_count(), 16);
      case schema::v1::SPLIT_TEST:
        return 16;
      default:
        return 0;
    }
  }

  static void Append(std::int64_t number, data::v1::ReadExamplesResponse& response) {
    const std::array<float, 2> point{static_cast<float>(number % 13) / 12,
                                     static_cast<float>(number % 17) / 16};
    const float label = point[0] + point[1] > 1 ? 1.0F : 0.0F;
    response.set_example_count(response.example_count() + 1);
    response.mutable_features()->append(reinterpret_cast<const char*>(point.data()), sizeof point);
    response.mutable_labels()->append(reinterpret_cast<const char*>(&label), sizeof label);
  }

  data::v1::DatasetVersion version_;
};

}  // namespace millrace::training
