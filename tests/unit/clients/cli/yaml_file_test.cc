#include "clients/cli/yaml_file.h"

#include <fstream>
#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/model/v1/training_spec.pb.h"

#include "clients/cli/failure.h"
#include "common/status/status.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using model::v1::TrainingSpec;
using testing::HasSubstr;
using training::Fails;

absl::Status Read(const std::string& text, TrainingSpec& spec) {
  const storage::TemporaryFolder folder;
  const std::string path = folder.path() + "/spec.yaml";
  std::ofstream(path, std::ios::binary) << text;
  return ReadYaml(path, spec);
}

TEST(YamlFileTest, AFileFillsAMessage) {
  TrainingSpec spec;
  ASSERT_TRUE(Read("epochs: 7\nloss: huber\n", spec).ok());
  EXPECT_EQ(spec.epochs(), 7);
  EXPECT_EQ(spec.loss(), model::v1::LOSS_HUBER);
}

TEST(YamlFileTest, AnUnknownKeyNamesItsPlaceAndTheClosest) {
  TrainingSpec spec;
  const absl::Status status = Read("epocs: 7\n", spec);
  EXPECT_THAT(status,
              Fails(absl::StatusCode::kInvalidArgument, "spec.yaml:1:1: unknown key 'epocs'"));
  EXPECT_THAT(Fix(status), HasSubstr("'epochs'"));
}

TEST(YamlFileTest, AnEmptyFileSaysSo) {
  TrainingSpec spec;
  const absl::Status status = Read("", spec);
  EXPECT_THAT(status, Fails(absl::StatusCode::kInvalidArgument, "spec.yaml' is empty"));
  EXPECT_EQ(Fix(status), "give a YAML file (deploy/examples has some)");
}

TEST(YamlFileTest, AMissingFileIsNotFound) {
  TrainingSpec spec;
  EXPECT_THAT(ReadYaml("no/such.yaml", spec),
              Fails(absl::StatusCode::kNotFound, "there is no file 'no/such.yaml'"));
}

TEST(YamlFileTest, WordsGoOverTheFileInOrder) {
  TrainingSpec spec;
  spec.set_epochs(7);
  ASSERT_TRUE(
      Override({"epochs=8", "early_stopping.patience=3", "epochs=9", "loss=huber"}, spec).ok());
  EXPECT_EQ(spec.epochs(), 9);
  EXPECT_EQ(spec.early_stopping().patience(), 3);
  EXPECT_EQ(spec.loss(), model::v1::LOSS_HUBER);
}

TEST(YamlFileTest, AWordThatIsNoPairIsAUsageError) {
  TrainingSpec spec;
  for (const char* const word : {"epochs", "=8", ""}) {
    const absl::Status status = Override({word}, spec);
    EXPECT_THAT(status, Fails(absl::StatusCode::kInvalidArgument, "--set must be PATH=VALUE"));
    EXPECT_EQ(ExitFor(status, false), Exit::kUsage);
    EXPECT_EQ(Fix(status), "for example --set training.epochs=10");
  }
}

TEST(YamlFileTest, AWordOfAnUnknownFieldNamesTheClosest) {
  TrainingSpec spec;
  const absl::Status status = Override({"epocs=8"}, spec);
  EXPECT_THAT(status, Fails(absl::StatusCode::kInvalidArgument, "epocs"));
  EXPECT_THAT(Fix(status), HasSubstr("epochs"));
}

}  // namespace
}  // namespace millrace::cli
