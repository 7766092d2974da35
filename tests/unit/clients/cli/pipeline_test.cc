#include "clients/cli/pipeline.h"

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/import.h"
#include "clients/cli/run_summary.h"
#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/clients/cli/samples.h"

namespace millrace::cli {
namespace {

using data::v1::DatasetVersion;
using data::v1::ImportHeader;
using testing::HasSubstr;
using RunMessage = training::v1::Run;  // a test has a Run() of its own
using training::v1::RunEvent;

constexpr const char* kSpec =
    "dataset: {name: iris, file: iris.csv, options: {label: species}}\n"
    "model: iris\n"
    "training: {epochs: 20}\n";

class PipelineTest : public CommandTest {
 protected:
  PipelineTest() {
    data_.import_dataset =
        [this](const ImportHeader& header, const std::string& bytes, DatasetVersion& version) {
          header_ = header;
          bytes_ = bytes;
          version = SampleDataset();
          return absl::OkStatus();
        };
    training_.create_run = [this](const training::v1::CreateRunRequest& request, RunMessage& run) {
      request_ = request;
      run = SampleRun(RunMessage::STATE_QUEUED);
      return absl::OkStatus();
    };
    serving_.list_models = [this](const auto&, serving::v1::ListModelsResponse& response) {
      *response.mutable_models() = {models_.begin(), models_.end()};
      return absl::OkStatus();
    };
    training_.watch_run = [this](grpc::ServerContext&,
                                 const training::v1::WatchRunRequest&,
                                 grpc::ServerWriter<RunEvent>& events) {
      RunEvent event;
      event.set_sequence(1);
      *event.mutable_run() = last_;
      events.Write(event);
      return absl::OkStatus();
    };
  }

  CommandResult Apply(const std::string& spec, const std::string& more = "-otable") {
    File("iris.csv", "a,species\n1,setosa\n");
    return Command({"pipeline", "apply", "-f", File("iris.yaml", spec), more});
  }

  RunMessage last_ = SampleRun(RunMessage::STATE_SUCCEEDED);
  ImportHeader header_;
  std::string bytes_;
  std::vector<serving::v1::ModelVersion> models_;  // that there are
  training::v1::CreateRunRequest request_;
};

TEST_F(PipelineTest, TheWholeWayIsGone) {
  const CommandResult result = Apply(kSpec);
  EXPECT_EQ(result.exit, Exit::kDone) << testing::PrintToString(result);
  EXPECT_EQ(result.out, ImportSummary(SampleDataset()) + "\n" + RunSummary(last_));
  EXPECT_THAT(result.err, testing::EndsWith("next: millrace model show iris@3\n"));
  EXPECT_EQ(header_.dataset(), "datasets/iris");
  EXPECT_EQ(header_.options().label(), "species");
  EXPECT_EQ(bytes_, "a,species\n1,setosa\n");  // beside the YAML, not in the working folder
  EXPECT_EQ(request_.dataset_version(), "datasets/iris/versions/1");  // the one just imported
  EXPECT_EQ(request_.model(), "models/iris");
  EXPECT_EQ(request_.spec().epochs(), 20);
}

TEST_F(PipelineTest, ASecondTimeOfTheSameMakesNoSecondVersion) {
  models_ = {SampleModel()};  // of that dataset and of the spec that the service fills in
  training_.get_run = [this](const training::v1::GetRunRequest& request, RunMessage& run) {
    EXPECT_EQ(request.name(), "runs/amber-owl");
    run = last_;
    return absl::OkStatus();
  };
  const CommandResult result = Apply(kSpec);
  EXPECT_EQ(result.exit, Exit::kDone) << testing::PrintToString(result);
  EXPECT_TRUE(request_.validate_only()) << "nothing is created";
  EXPECT_EQ(result.out, ImportSummary(SampleDataset()) + "\n" + RunSummary(last_));
  EXPECT_THAT(result.err, HasSubstr("unchanged: iris@3 was trained by this spec on iris@1"));

  training_.get_run = nullptr;  // the run was deleted, the version was not
  EXPECT_EQ(Apply(kSpec, "-ojson").Json()["run"]["modelVersion"], "models/iris/versions/3");

  ASSERT_EQ(Apply(kSpec, "--again").exit, Exit::kDone);
  EXPECT_FALSE(request_.validate_only());
}

TEST_F(PipelineTest, OtherDataOrAnotherSpecIsTrained) {
  models_ = {SampleModel(), SampleModel()};
  models_[0].mutable_manifest()->mutable_training()->set_epochs(21);
  models_[1].mutable_manifest()->mutable_lineage()->set_dataset_sha256("e");
  ASSERT_EQ(Apply(kSpec).exit, Exit::kDone);
  EXPECT_FALSE(request_.validate_only());
}

TEST_F(PipelineTest, ADryRunReadsTheFileAndAsks) {
  data_.get_dataset = [](const auto&, auto&) { return NotFound("there is none"); };
  const CommandResult result = Apply(kSpec, "--dry-run");
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.err,
            "whether the spec fits is seen once the file is imported\n"
            "would import 'iris.csv' as iris, and train iris on it\n");
  EXPECT_EQ(bytes_, "");
  EXPECT_THAT(
      Apply("dataset: {name: iris, file: iris.csv, options: {label: specis}}\nmodel: iris\n",
            "--dry-run"),
      FailsWith(Exit::kInvalid, "fix: did you mean 'species'?"));
  data_.get_dataset = [](const auto&, DatasetVersion& version) {
    version = SampleDataset();
    // printf 'a,species\n1,setosa\n' | sha256sum
    version.add_sources()->set_sha256(
        "bada84c7efbcd635b3970ab0f0842b2e3cd9142355015a9baca67e8710456a4e");
    return absl::OkStatus();
  };
  training_.create_run = [](const training::v1::CreateRunRequest& request, auto&) {
    EXPECT_TRUE(request.validate_only());
    return InvalidArgument("the last layer must have 3 outputs");
  };
  EXPECT_THAT(Apply(kSpec, "--dry-run"), FailsWith(Exit::kInvalid, "must have 3 outputs"));
}

TEST_F(PipelineTest, AnAbsolutePathStaysWhatItIs) {
  const std::string file = File("elsewhere.csv", "x\n1\n");
  const CommandResult result = Apply(fmt::format(
      "dataset: {{name: iris, file: {}}}\nmodel: iris\ntraining: {{epochs: 1}}\n", file));
  EXPECT_EQ(result.exit, Exit::kDone) << testing::PrintToString(result);
  EXPECT_EQ(bytes_, "x\n1\n");
}

TEST_F(PipelineTest, WordsGoOverTheFile) {
  ASSERT_EQ(Apply(kSpec, "--set=training.epochs=3").exit, Exit::kDone);
  EXPECT_EQ(request_.spec().epochs(), 3);
  EXPECT_THAT(Apply(kSpec, "--set=training.epocs=3"), FailsWith(Exit::kInvalid, "training.epocs"));
}

TEST_F(PipelineTest, AsJsonItIsTheDatasetAndTheRun) {
  const auto json = Apply(kSpec, "-ojson").Json();
  EXPECT_EQ(json["dataset"]["name"], "datasets/iris/versions/1");
  EXPECT_EQ(json["run"]["modelVersion"], "models/iris/versions/3");
}

TEST_F(PipelineTest, AsJsonAFailedRunIsStillPrinted) {
  last_ = SampleRun(RunMessage::STATE_FAILED);
  const CommandResult result = Apply(kSpec, "-ojson");
  EXPECT_EQ(result.exit, Exit::kFailed);
  EXPECT_EQ(result.Json()["run"]["state"], "STATE_FAILED");
  EXPECT_THAT(result.err, HasSubstr("fix: 'millrace run show amber-owl'"));
}

TEST_F(PipelineTest, EachPartThatIsMissingIsNamed) {
  EXPECT_THAT(Apply("model: iris\n"), FailsWith(Exit::kInvalid, "dataset.name is missing"));
  EXPECT_THAT(Apply("dataset: {name: iris}\nmodel: iris\n"),
              FailsWith(Exit::kInvalid, "dataset.file is missing"));
  EXPECT_THAT(Apply("dataset: {name: iris, file: iris.csv}\n"),
              FailsWith(Exit::kInvalid, "iris.yaml: model is missing"));
}

TEST_F(PipelineTest, FilesThatAreMissingAreNotFound) {
  EXPECT_THAT(Command({"pipeline", "apply", "-f", "none.yaml"}),
              FailsWith(Exit::kNotFound, "there is no file 'none.yaml'"));
  EXPECT_THAT(Apply("dataset: {name: iris, file: none.csv}\nmodel: iris\ntraining: {epochs: 1}\n"),
              FailsWith(Exit::kNotFound, "none.csv'"));
  EXPECT_THAT(Command({"pipeline", "apply"}), FailsWith(Exit::kUsage, "--file is required"));
}

TEST_F(PipelineTest, AnUnknownKeyNamesTheClosest) {
  EXPECT_THAT(Apply("modle: iris\n"), FailsWith(Exit::kInvalid, "unknown key 'modle'"));
}

TEST_F(PipelineTest, ARefusedImportEndsIt) {
  data_.import_dataset = [](const ImportHeader&, const std::string&, DatasetVersion&) {
    return InvalidArgument("iris.csv:2:1: found 3 cells, expected 2");
  };
  training_.create_run = nullptr;
  const CommandResult result = Apply(kSpec);
  EXPECT_THAT(result, FailsWith(Exit::kInvalid, "iris.csv:2:1"));
}

TEST_F(PipelineTest, AServiceThatIsDownSaysWhatToDo) {
  StopServer(data_server_);
  EXPECT_THAT(Apply(kSpec),
              FailsWith(Exit::kTryAgain, "fix: 'millrace up' starts it; --data-address"));
}

}  // namespace
}  // namespace millrace::cli
