#include "clients/cli/predict_dataset.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/serving/v1/serving_service.pb.h"

#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/clients/cli/samples.h"

namespace millrace::cli {
namespace {

using data::v1::ReadRowsRequest;
using data::v1::ReadRowsResponse;
using serving::v1::ModelVersion;
using serving::v1::PredictRequest;
using serving::v1::PredictResponse;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int kRows = 10;

// A dataset of ten rows that come two a message, and a model that says `even` or `odd, or "so"`.
class PredictDatasetTest : public CommandTest {
 protected:
  PredictDatasetTest() {
    auto& transforms = *model_.mutable_manifest()->mutable_transforms();
    transforms.mutable_label()->clear_classes();
    transforms.mutable_label()->add_classes("even");
    transforms.mutable_label()->add_classes("odd, or \"so\"");
    transforms.clear_features();
    transforms.add_features()->mutable_column()->set_name("n");
    model_.mutable_manifest()->mutable_lineage()->set_bundle_sha256("abc");
    serving_.get_model = [this](const auto&, ModelVersion& model) {
      model = model_;
      return absl::OkStatus();
    };
    serving_.predict = [this](const PredictRequest& request, PredictResponse& response) {
      return Predict(request, response);
    };
    data_.get_dataset = [this](const data::v1::GetDatasetRequest& request,
                               data::v1::DatasetVersion& version) {
      if (request.name() == "datasets/answers" && target_.name().empty()) {
        return NotFound("there is no dataset '{}'", request.name());
      }
      if (request.name() == "datasets/answers") {
        version = target_;
        return absl::OkStatus();
      }
      version.set_name("datasets/numbers/versions/2");
      version.set_sha256("def");
      version.set_row_count(kRows);
      return absl::OkStatus();
    };
    data_.read_rows = [this](const ReadRowsRequest& request, auto& writer) {
      return ReadRows(request, writer);
    };
    data_.import_dataset = [this](const data::v1::ImportHeader& header,
                                  const std::string& bytes,
                                  data::v1::DatasetVersion& version) {
      header_ = header;
      imported_ = bytes;
      version.set_name("datasets/answers/versions/1");
      return absl::OkStatus();
    };
  }

  absl::Status Predict(const PredictRequest& request, PredictResponse& response) {
    if (asked_.size() >= fails_behind_rows_) {
      return Unavailable("the serving service is gone");
    }
    columns_.assign(request.columns().begin(), request.columns().end());
    for (const auto& row : request.rows()) {
      asked_.push_back(row.values(0).text());
      const bool odd = std::stoi(asked_.back()) % 2 == 1;
      auto& prediction = *response.add_predictions();
      prediction.set_label(odd ? "odd, or \"so\"" : "even");
      prediction.add_probabilities(odd ? 0.1F : 1.0F);
      prediction.add_probabilities(odd ? 0.9F : 0.0F);
    }
    return absl::OkStatus();
  }

  absl::Status ReadRows(const ReadRowsRequest& request,
                        grpc::ServerWriter<ReadRowsResponse>& writer) {
    for (std::int64_t row = request.first_row(); row < kRows;) {
      ReadRowsResponse part;
      part.set_first_row(row);
      if (row == request.first_row()) {
        part.add_columns("unused");
        part.add_columns("n");
      }
      for (int i = 0; i < 2 && row < kRows; ++i, ++row) {
        auto& cells = *part.add_rows();
        cells.add_values();
        cells.add_values()->set_text(std::to_string(row));
      }
      writer.Write(part);
    }
    return absl::OkStatus();
  }

  CommandResult Do() {
    return Command({"predict", "parity", "--dataset=numbers", "--into=answers"});
  }

  ModelVersion model_ = SampleModel();
  std::vector<std::string> asked_;
  std::vector<std::string> columns_;
  std::size_t fails_behind_rows_ = 1000;
  data::v1::DatasetVersion target_;  // what --into names already
  data::v1::ImportHeader header_;
  std::string imported_;
};

TEST_F(PredictDatasetTest, TheAnswersForAllRowsBecomeADataset) {
  const CommandResult result = Do();
  ASSERT_EQ(result.exit, Exit::kDone) << result.err;
  EXPECT_THAT(
      imported_,
      testing::StartsWith("row,predicted,probability even,\"probability odd, or \"\"so\"\"\"\n"
                          "0,even,1,0\n"
                          "1,\"odd, or \"\"so\"\"\",0.1,0.9\n"));
  EXPECT_EQ(std::count(imported_.begin(), imported_.end(), '\n'), kRows + 1);
  EXPECT_EQ(header_.dataset(), "datasets/answers");
  EXPECT_EQ(header_.file_name(), "iris@3 of numbers@2.csv");
  EXPECT_TRUE(header_.options().keep_duplicates());
  EXPECT_THAT(columns_, ElementsAre("n"));  // what the model does not look at is not sent
  EXPECT_THAT(result.out, HasSubstr("answers@1"));
}

TEST_F(PredictDatasetTest, InterruptedItGoesOnAndEndsWithTheSameBytes) {
  ASSERT_EQ(Do().exit, Exit::kDone);
  const std::string whole = std::exchange(imported_, "");
  asked_.clear();
  fails_behind_rows_ = 6;
  const CommandResult broken = Do();
  EXPECT_THAT(broken, FailsWith(Exit::kTryAgain, "fix: the same command goes on at row 6"));
  EXPECT_EQ(imported_, "");
  fails_behind_rows_ = 1000;
  const CommandResult second = Do();
  ASSERT_EQ(second.exit, Exit::kDone) << second.err;
  EXPECT_THAT(second.err, HasSubstr("going on at row 6\n"));
  EXPECT_EQ(imported_, whole);
  EXPECT_EQ(asked_.size(), std::size_t{kRows});  // none twice
}

TEST_F(PredictDatasetTest, AnImportThatFailsCostsNoPrediction) {
  auto import = std::exchange(data_.import_dataset, [](const auto&, const auto&, auto&) {
    return ResourceExhausted("no room");
  });
  EXPECT_THAT(Do(), FailsWith(Exit::kTryAgain, "no room"));
  data_.import_dataset = import;
  ASSERT_EQ(Do().exit, Exit::kDone);
  EXPECT_EQ(asked_.size(), std::size_t{kRows});
}

TEST_F(PredictDatasetTest, NothingIsKeptBehindTheEnd) {
  ASSERT_EQ(Do().exit, Exit::kDone);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() + "/state/millrace/predictions"));
}

TEST_F(PredictDatasetTest, AnotherModelOrTargetIsOtherWork) {
  fails_behind_rows_ = 6;
  EXPECT_EQ(Do().exit, Exit::kTryAgain);
  fails_behind_rows_ = 1000;
  model_.mutable_manifest()->mutable_lineage()->set_bundle_sha256("another");
  EXPECT_EQ(Do().err.find("going on"), std::string::npos);
}

TEST_F(PredictDatasetTest, ADatasetWithoutAFeatureIsRefused) {
  model_.mutable_manifest()->mutable_transforms()->mutable_features(0)->mutable_column()->set_name(
      "x");
  EXPECT_THAT(Do(), FailsWith(Exit::kInvalid, "the dataset has no feature of iris@3"));
}

TEST_F(PredictDatasetTest, WhatModelsLearnFromIsNoPlaceForAnswers) {
  target_.set_name("datasets/answers/versions/4");
  std::string trained_on = "datasets/answers/versions/3";
  serving_.list_models = [&](const auto&, serving::v1::ListModelsResponse& response) {
    ModelVersion& version = *response.add_models();
    version = model_;
    version.mutable_manifest()->mutable_lineage()->set_dataset_version(trained_on);
    return absl::OkStatus();
  };
  EXPECT_THAT(Do(), FailsWith(Exit::kInvalid, "found 'answers', of which iris@3 is"));
  EXPECT_EQ(asked_.size(), 0U) << "found out before anything is asked";
  trained_on = "datasets/another/versions/3";
  EXPECT_EQ(Do().exit, Exit::kDone);
  trained_on = "datasets/answers/versions/3";
  *target_.mutable_options() = header_.options();  // answers of the same kind
  EXPECT_EQ(Do().exit, Exit::kDone);
}

TEST_F(PredictDatasetTest, ADryRunAsksAndDoesNothing) {
  const std::vector<std::string> words{
      "predict", "parity", "--dataset=numbers", "--into=numbers", "--dry-run"};
  EXPECT_THAT(Command(words), FailsWith(Exit::kInvalid, "--into must not be the dataset that is"));
  std::vector<std::string> good = words;
  good[3] = "--into=answers";
  EXPECT_THAT(Command(good), FailsWith(Exit::kInvalid, "the dataset has no feature of iris@3"));
  EXPECT_EQ(asked_.size(), 0U);
}

TEST_F(PredictDatasetTest, DatasetAndTargetGoTogether) {
  EXPECT_THAT(Command({"predict", "parity", "--dataset=numbers"}),
              FailsWith(Exit::kUsage, "--dataset and --into go together"));
}

}  // namespace
}  // namespace millrace::cli
