// Every limit of the services' configurations, one below, at and one above it, as a client meets
// it; and that none is left out.

#include "common/config/limits.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/data/v1/config.pb.h"
#include "millrace/serving/v1/config.pb.h"
#include "millrace/training/v1/config.pb.h"

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"

namespace millrace::integration {
namespace {

using testing::HasSubstr;

// Small ones, so that a test can come to them.
const ExtraWords kSmall{.data = {"--upload-bytes-max=5000",
                                 "--limits.columns-max=4",
                                 "--limits.cell-bytes-max=10",
                                 "--limits.row-bytes-max=24",
                                 "--limits.categories-max=5",
                                 "--limits.classes-max=4"},
                        .serving = {"--limits.rows-max=5"},
                        .training = {"--runs-max=2",
                                     "--limits.epochs-max=3",
                                     "--limits.batch-size-max=7",
                                     "--limits.parameters-max=13",
                                     "--limits.layers-max=4",
                                     "--limits.units-max=3"}};

// A label and numbers that repeat, so that they are features.
std::string TableOf(std::int64_t columns, std::int64_t rows = 12) {
  std::string text = "a";
  for (std::int64_t c = 1; c < columns; ++c) {
    text += fmt::format(",c{}", c);
  }
  text += '\n';
  for (std::int64_t r = 0; r < rows; ++r) {
    text += r % 2 == 0 ? "p" : "q";
    for (std::int64_t c = 1; c < columns; ++c) {
      text += fmt::format(",{}", (r + c) % 3);
    }
    text += '\n';
  }
  return text;
}

class LimitsTest : public LocalServicesTest {
 protected:
  static void SetUpTestSuite() {
    StartServices(kSmall);
    Require(ImportFile("points", TableOf(3, 60)));
  }

  static absl::Status ImportFile(std::string_view dataset, std::string_view bytes) {
    data::v1::ImportHeader header = HeaderOf(dataset, "file.csv", "a");
    header.mutable_options()->set_header(data::v1::ImportOptions::HEADER_PRESENT);
    header.mutable_options()->set_keep_duplicates(true);
    return Import(clients().data(), header, bytes).status();
  }

  static absl::Status ImportText(std::string_view bytes) { return ImportFile("limited", bytes); }

  static absl::Status TrainWith(std::int32_t epochs,
                                std::int32_t batch,
                                const std::vector<std::int32_t>& layer_units) {
    model::v1::TrainingSpec spec;
    spec.set_epochs(epochs);
    spec.set_batch_size(batch);
    for (const std::int32_t units : layer_units) {
      spec.mutable_network()->add_layers()->mutable_dense()->set_units(units);
    }
    const auto run =
        Train(clients().training(), RunRequest("datasets/points/versions/1", "points", spec));
    RETURN_IF_ERROR(run.status());
    return run->state() == training::v1::Run::STATE_SUCCEEDED ? absl::OkStatus()
                                                              : absl::InternalError(run->failure());
  }
};

using Attempt = std::function<absl::Status(std::int64_t)>;

// One below and at the limit pass; one above does not.
void ExpectLimit(std::int64_t limit,
                 const Attempt& attempt,
                 absl::StatusCode code,
                 std::string_view phrase) {
  EXPECT_TRUE(attempt(limit - 1).ok()) << attempt(limit - 1);
  EXPECT_TRUE(attempt(limit).ok()) << attempt(limit);
  const absl::Status status = attempt(limit + 1);
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(phrase));
}

TEST_F(LimitsTest, ColumnsOfAFile) {
  ExpectLimit(
      4,
      [](std::int64_t columns) { return ImportText(TableOf(columns)); },
      absl::StatusCode::kInvalidArgument,
      "a row has at most 4 cells, found more");
}

TEST_F(LimitsTest, BytesOfACell) {
  ExpectLimit(
      10,
      [](std::int64_t bytes) {
        const std::string cell(static_cast<std::size_t>(bytes), 'x');
        return ImportText(TableOf(3) + fmt::format("p,1,{}\n", cell));
      },
      absl::StatusCode::kInvalidArgument,
      "file.csv:14:5: a cell has at most 10 bytes");
}

TEST_F(LimitsTest, BytesOfARow) {
  ExpectLimit(
      24,
      [](std::int64_t bytes) {
        // Three cells and three commas beside what is missing to `bytes`.
        const std::string cell(static_cast<std::size_t>(bytes) - 15, 'y');
        return ImportText(TableOf(4) + fmt::format("p,{},{},1\n", std::string(10, 'x'), cell));
      },
      absl::StatusCode::kInvalidArgument,
      "file.csv:14:1: a row has at most 24 bytes");
}

TEST_F(LimitsTest, BytesOfAFile) {
  ExpectLimit(
      5'000,
      [](std::int64_t bytes) {
        std::string text = TableOf(2);
        text.resize(static_cast<std::size_t>(bytes), '\n');  // empty lines are no rows
        return ImportText(text);
      },
      absl::StatusCode::kResourceExhausted,
      "an upload may have at most 5000 bytes");
}

// What is over it is set aside with the reason, and no error.
TEST_F(LimitsTest, CategoriesOfAFeature) {
  for (const int count : {4, 5, 6}) {
    std::string text = "a,c1,kind\n";
    for (int r = 0; r < 60; ++r) {
      text += fmt::format("{},{},kind {}\n", r % 2 == 0 ? "p" : "q", r % 7, r % count);
    }
    const auto version = Import(clients().data(), HeaderOf("categories", "file.csv", "a"), text);
    ASSERT_TRUE(version.ok()) << version.status();
    const bool over = count == 6;
    EXPECT_EQ(version->schema().columns(2).role(),
              over ? schema::v1::COLUMN_ROLE_SET_ASIDE : schema::v1::COLUMN_ROLE_FEATURE);
    std::vector<std::string> effects;
    for (const data::v1::CleaningEffect& effect : version->effects()) {
      if (effect.column() == "kind") {
        effects.push_back(effect.explanation());
      }
    }
    ASSERT_EQ(effects.size(), over ? 1 : 0) << count;
    if (over) {
      EXPECT_THAT(effects[0], HasSubstr("at most 5 categories can become inputs, found 6"));
    }
  }
}

TEST_F(LimitsTest, ClassesOfALabel) {
  ExpectLimit(
      4,
      [](std::int64_t classes) {
        std::string text = "a,c1\n";
        for (std::int64_t r = 0; r < 60; ++r) {
          text += fmt::format("class {},{}\n", r % classes, r % 7);
        }
        return ImportText(text);
      },
      absl::StatusCode::kInvalidArgument,
      "label 'a' must have at most 4 classes, found more");
}

TEST_F(LimitsTest, RowsOfAPrediction) {
  ASSERT_TRUE(TrainWith(1, 5, {1, 1}).ok());
  ExpectLimit(
      5,
      [](std::int64_t rows) {
        serving::v1::PredictRequest request;
        request.set_model("models/points");
        request.add_columns("c1");
        request.add_columns("c2");
        for (std::int64_t r = 0; r < rows; ++r) {
          schema::v1::Row& row = *request.add_rows();
          row.add_values()->set_number(1);
          row.add_values()->set_number(2);
        }
        return Call(clients().serving(), &ServingStub::Predict, request).status();
      },
      absl::StatusCode::kInvalidArgument,
      "a request must have 1 to 5 rows, found 6");
}

TEST_F(LimitsTest, RowsOfAnInference) {
  ASSERT_TRUE(TrainWith(1, 5, {1, 1}).ok());
  ExpectLimit(
      5,
      [](std::int64_t rows) {
        inference::ModelInferRequest request;
        request.set_model_name("points");
        auto& input = *request.add_inputs();
        input.set_name("features");
        input.set_datatype("FP32");
        input.add_shape(rows);
        input.add_shape(2);
        const std::vector<float> x(static_cast<std::size_t>(rows * 2), 0.5F);
        input.mutable_contents()->mutable_fp32_contents()->Add(x.begin(), x.end());
        return Call(clients().inference(), &InferenceStub::ModelInfer, request).status();
      },
      absl::StatusCode::kInvalidArgument,
      "'features' must have 1 to 5 rows, found 6");
}

TEST_F(LimitsTest, EpochsOfARun) {
  ExpectLimit(
      3,
      [](std::int64_t epochs) {
        return TrainWith(static_cast<std::int32_t>(epochs), 5, {1, 1});
      },
      absl::StatusCode::kInvalidArgument,
      "training.epochs must be in [1, 3], found 4");
}

TEST_F(LimitsTest, RowsOfABatch) {
  ExpectLimit(
      7,
      [](std::int64_t rows) {
        return TrainWith(1, static_cast<std::int32_t>(rows), {1, 1});
      },
      absl::StatusCode::kInvalidArgument,
      "training.batch_size must be in [1, 7], found 8");
}

// Of 2 inputs. No network of these layers and units has one weight more or less: 11, 13 and 15.
TEST_F(LimitsTest, WeightsOfANetwork) {
  EXPECT_TRUE(TrainWith(1, 5, {2, 1, 1}).ok());
  EXPECT_TRUE(TrainWith(1, 5, {3, 1}).ok());
  const absl::Status status = TrainWith(1, 5, {3, 1, 1});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("15 weights, more than the limit of 13"));
}

TEST_F(LimitsTest, LayersOfANetwork) {
  ExpectLimit(
      4,
      [](std::int64_t layers) {
        return TrainWith(1, 5, std::vector<std::int32_t>(static_cast<std::size_t>(layers), 1));
      },
      absl::StatusCode::kInvalidArgument,
      "network.layers must have 1 to 4 layers, found 5");
}

TEST_F(LimitsTest, UnitsOfALayer) {
  ExpectLimit(
      3,
      [](std::int64_t units) {
        return TrainWith(1, 5, {static_cast<std::int32_t>(units), 1});
      },
      absl::StatusCode::kInvalidArgument,
      "network.layers[0].dense.units must be in [1, 3], found 4");
}

// Where each limit is held to: a file, and the test in it that does so. Times have no "one more";
// for them it is what happens when they are over.
const std::map<std::string, std::pair<std::string, std::string>> kTests{
    {"data.drain_seconds",
     {"integration/life_test.cc", "AnImportThatDoesNotEndIsCancelledAtTheDrainDeadline"}},
    {"data.import_threads",
     {"unit/services/data/rpc/import_call_test.cc",
      "OneImportTooManyIsRefusedAndOnesThatEndMakeRoom"}},
    {"data.limits.categories_max", {"integration/limits_test.cc", "CategoriesOfAFeature"}},
    {"data.limits.classes_max", {"integration/limits_test.cc", "ClassesOfALabel"}},
    {"data.limits.cell_bytes_max", {"integration/limits_test.cc", "BytesOfACell"}},
    {"data.limits.columns_max", {"integration/limits_test.cc", "ColumnsOfAFile"}},
    {"data.limits.row_bytes_max", {"integration/limits_test.cc", "BytesOfARow"}},
    {"data.limits.waiting_imports_max",
     {"unit/services/data/rpc/import_call_test.cc",
      "OneImportTooManyIsRefusedAndOnesThatEndMakeRoom"}},
    {"data.limits.unfinished_uploads_max",
     {"unit/common/transfer/upload_store_test.cc", "TheNumberOfUnfinishedUploadsIsBounded"}},
    {"data.upload_bytes_max", {"integration/limits_test.cc", "BytesOfAFile"}},
    {"serving.compute_threads",
     {"unit/services/serving/rpc/compute_pool_test.cc", "MoreThreadsShareWhatWaits"}},
    {"serving.limits.compute_bytes_max",
     {"unit/services/serving/predict/predictor_test.cc", "TheLimitHoldsToTheByte"}},
    {"serving.limits.models_bytes_max",
     {"unit/services/serving/pipeline/cold_versions_test.cc", "TheLimitHoldsToTheByte"}},
    {"serving.limits.rows_max", {"integration/limits_test.cc", "RowsOfAPrediction"}},
    {"serving.limits.unfinished_uploads_max",
     {"unit/common/transfer/upload_store_test.cc", "TheNumberOfUnfinishedUploadsIsBounded"}},
    {"serving.queue_max",
     {"unit/services/serving/rpc/compute_pool_test.cc", "TakesAsMuchWorkAsMayWaitAndNoMore"}},
    {"serving.upload_bytes_max",
     {"unit/services/serving/rpc/upload_test.cc", "TakesUpToItsLimitAndNoMore"}},
    {"server.connection_age_seconds_max",
     {"unit/common/rpc/server_test.cc", "AnOldConnectionIsGivenUpAndItsCallsEndAfterTheGrace"}},
    {"server.connection_grace_seconds_max",
     {"unit/common/rpc/server_test.cc", "AnOldConnectionIsGivenUpAndItsCallsEndAfterTheGrace"}},
    {"server.connection_idle_seconds_max",
     {"unit/common/rpc/server_test.cc", "AConnectionWithoutCallsIsClosed"}},
    {"server.connections_max",
     {"unit/common/rpc/server_test.cc", "TheConnectionAfterTheLastIsClosedAtOnceAndOthersGoOn"}},
    {"server.connections_of_address_max",
     {"unit/common/rpc/server_test.cc", "TheConnectionAfterTheLastIsClosedAtOnceAndOthersGoOn"}},
    {"server.handshake_seconds_max",
     {"unit/common/rpc/server_test.cc", "AConnectionThatSaysNothingIsClosed"}},
    {"server.memory_bytes_max",
     {"integration/memory_test.cc", "ManyLargeMessagesThatNeverEndAreBounded"}},
    {"server.message_bytes_max",
     {"unit/common/rpc/server_test.cc", "TakesAMessageUpToItsLimitAndRefusesALargerOne"}},
    {"server.metadata_bytes_max",
     {"unit/common/rpc/server_test.cc", "ACallWithMoreMetadataThanTheLimitIsRefusedAndOthersGoOn"}},
    {"server.streams_max",
     {"unit/common/rpc/server_test.cc", "TheCallAfterTheLastOfAConnectionWaits"}},
    {"server.threads_max",
     {"unit/common/rpc/server_test.cc", "IdleHealthAndReflectionStreamsTakeNoThreadEach"}},
    {"training.checkpoint_seconds",
     {"unit/services/training/worker/run_progress_test.cc",
      "AnIntervalIsCountedFromTheCheckpointBefore"}},
    {"training.examples_bytes_max",
     {"unit/services/training/fetch/fetch_test.cc", "TheMemoryLimitHoldsToTheByte"}},
    {"training.limits.batch_size_max", {"integration/limits_test.cc", "RowsOfABatch"}},
    {"training.limits.epochs_max", {"integration/limits_test.cc", "EpochsOfARun"}},
    {"training.limits.layers_max", {"integration/limits_test.cc", "LayersOfANetwork"}},
    {"training.limits.units_max", {"integration/limits_test.cc", "UnitsOfALayer"}},
    {"training.limits.parameters_max", {"integration/limits_test.cc", "WeightsOfANetwork"}},
    {"training.publish_seconds_max",
     {"unit/services/training/runs/run_publisher_test.cc",
      "WhenItsTimeIsOverItRestsAndCanBePublishedLater"}},
    {"training.run_bytes_max", {"unit/services/training/rpc/create_run_test.cc", "BytesOfARun"}},
    {"training.runs_days",
     {"unit/services/training/runs/run_retention_test.cc", "ARunGoesAfterItsDaysAndNotBefore"}},
    {"training.runs_max",
     {"unit/services/training/runs/run_executor_test.cc",
      "AFullQueueRefusesAndTakesAgainWhenARunHasEnded"}},
    {"training.worker_grace_seconds",
     {"unit/services/training/runs/worker_process_test.cc", "OneThatIsDeafIsKilledAfterTheGrace"}},
    {"training.workers_max",
     {"unit/services/training/runs/run_executor_test.cc",
      "AFullQueueRefusesAndTakesAgainWhenARunHasEnded"}},
    {"audit_days", {"unit/common/audit/audit_log_test.cc", "OldFilesGoAndTheChainStillHolds"}},
    {"data.limits.readers_bytes_max",
     {"unit/services/data/read/read_budget_test.cc", "TakesUpToItsLimitAndNoMore"}},
    {"reserve_bytes", {"unit/common/storage/reserve_test.cc", "ItsBlocksAreReallyThere"}},
    {"stream_idle_seconds_max",
     {"unit/services/data/rpc/import_call_test.cc", "StreamsThatWaitShutNobodyOutAndAreEnded"}},
    {"upload_expire_hours",
     {"unit/common/transfer/upload_store_test.cc", "AnUploadExpiresAfterItsLastChunkToTheSecond"}},
    {"upload_idle_seconds",
     {"unit/common/transfer/upload_store_test.cc",
      "AnIdleUploadMakesRoomTheOldestOfTheSameCallerFirst"}},
};

// What several services have alike.
const std::set<std::string> kShared{"audit_days",
                                    "reserve_bytes",
                                    "stream_idle_seconds_max",
                                    "upload_expire_hours",
                                    "upload_idle_seconds"};

// One name for it.
std::string KeyOf(std::string_view service, const std::string& path) {
  if (path.rfind("server.", 0) == 0 || kShared.contains(path)) {
    return path;
  }
  return fmt::format("{}.{}", path == "drain_seconds" ? "data" : service, path);
}

void ExpectTested(std::string_view service, const google::protobuf::Message& config) {
  for (const config::NamedLimit& named : config::LimitsOf(config)) {
    SCOPED_TRACE(named.path);
    const auto found = kTests.find(KeyOf(service, named.path));
    ASSERT_NE(found, kTests.end()) << service << "'s " << named.path << " has no test";
    const auto& [file, test] = found->second;
    EXPECT_THAT(ReadFile("tests/" + file), HasSubstr(fmt::format(", {}) {{", test)));
  }
}

TEST(LimitsTableTest, EveryLimitHasATest) {
  ExpectTested("data", data::v1::DataConfig());
  ExpectTested("serving", serving::v1::ServingConfig());
  ExpectTested("training", training::v1::TrainingConfig());
}

}  // namespace
}  // namespace millrace::integration
