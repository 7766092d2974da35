#include "common/config/config.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/pipeline/v1/pipeline.pb.h"

#include "common/status/status.h"

namespace millrace::config {
namespace {

using pipeline::v1::PipelineSpec;
using testing::HasSubstr;

std::string MessageOf(const absl::Status& status) {
  return std::string(Message(status));
}

TEST(ConfigTest, SetReadsEveryKindOfScalar) {
  PipelineSpec spec;

  EXPECT_TRUE(Set("model", "iris", spec).ok());
  EXPECT_TRUE(Set("training.epochs", "-2147483648", spec).ok());
  EXPECT_TRUE(Set("training.seed", "9223372036854775807", spec).ok());
  EXPECT_TRUE(Set("training.loss", "mean_squared_error", spec).ok());
  EXPECT_TRUE(Set("training.optimizer.sgd.learning_rate", "2.5e-1", spec).ok());
  EXPECT_TRUE(Set("dataset.options.keep_duplicates", "true", spec).ok());

  EXPECT_EQ(spec.model(), "iris");
  EXPECT_EQ(spec.training().epochs(), -2147483648);
  EXPECT_EQ(spec.training().seed(), 9223372036854775807);
  EXPECT_EQ(spec.training().loss(), model::v1::LOSS_MEAN_SQUARED_ERROR);
  EXPECT_EQ(spec.training().optimizer().sgd().learning_rate(), 0.25);
  EXPECT_TRUE(spec.dataset().options().keep_duplicates());
}

TEST(ConfigTest, SetRefusesWhatDoesNotFitAndChangesNothing) {
  struct Case {
    std::string path;
    std::string text;
    std::string phrase;
  };

  const Case cases[] = {
      {"training.epochs", "2147483648", "whole number in [-2147483648, 2147483647], found"},
      {"training.epochs", "ten", "training.epochs must be a whole number"},
      {"training.epochs", "1.0", "found '1.0'"},
      {"training.epochs", "", "found ''"},
      {"training.epochs", " 1", "found ' 1'"},
      {"training.epochs", "0x10", "found '0x10'"},
      {"training.seed", "9223372036854775808", "a whole number of 64 bits"},
      {"training.optimizer.sgd.learning_rate", "nan", "a finite number"},
      {"training.optimizer.sgd.learning_rate", "-inf", "a finite number"},
      {"training.optimizer.sgd.learning_rate", "1e999", "a finite number"},
      {"training.optimizer.sgd.learning_rate", "0,1", "a finite number"},
      {"training.loss", "LOSS_HUBER", "one of binary_crossentropy"},
      {"training.loss", "unspecified", "one of binary_crossentropy"},
      {"dataset.options.keep_duplicates", "yes", "true or false, found 'yes'"},
      {"model", "\xff", "a text of UTF-8, found '?'"},
      {"model", "\xC3", "a text of UTF-8"},
      {"model", "\xC0\x80", "a text of UTF-8"},
      {"model", "\xED\xA0\x80", "a text of UTF-8"},
      {"model", "\xF4\x90\x80\x80", "a text of UTF-8"},
  };
  for (const Case& c : cases) {
    PipelineSpec spec;
    spec.set_model("before");
    const absl::Status status = Set(c.path, c.text, spec);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.path << " " << c.text;
    EXPECT_THAT(MessageOf(status), HasSubstr(c.phrase));
    EXPECT_EQ(spec.ShortDebugString(), "model: \"before\"");
  }
}

TEST(ConfigTest, SetTakesAnyUtf8) {
  PipelineSpec spec;
  const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBF";

  EXPECT_TRUE(Set("model", text, spec).ok());
  EXPECT_EQ(spec.model(), text);
}

TEST(ConfigTest, SetRefusesPathsThatAreNoSetting) {
  PipelineSpec spec;
  for (const std::string path : {"modell",
                                 "training",
                                 "training.network.layers",
                                 "training.epochs.more",
                                 "",
                                 ".",
                                 "training..epochs",
                                 "dataset.options.column_types"}) {
    const absl::Status status = Set(path, "1", spec);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << path;
    EXPECT_THAT(MessageOf(status), HasSubstr("there is no setting '" + path + "'"));
  }
  EXPECT_EQ(Fix(Set("modell", "1", spec)), "did you mean 'model'?");
  EXPECT_EQ(Fix(Set("training.loss", "hubr", spec)), "did you mean 'huber'?");
}

TEST(ConfigTest, TheEnvironmentFillsNestedFields) {
  PipelineSpec spec;

  const absl::Status status = FillFromEnvironment("MILLRACE_TEST",
                                                  {"PATH=/bin",
                                                   "MILLRACE_TESTING=other",
                                                   "MILLRACE_TEST_MODEL=iris=2",
                                                   "MILLRACE_TEST_TRAINING_BATCH_SIZE=7"},
                                                  spec);

  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(spec.model(), "iris=2");
  EXPECT_EQ(spec.training().batch_size(), 7);
}

TEST(ConfigTest, AnUnknownVariableWithThePrefixFailsAndChangesNothing) {
  PipelineSpec spec;

  const absl::Status unknown = FillFromEnvironment(
      "MILLRACE_TEST", {"MILLRACE_TEST_MODEL=iris", "MILLRACE_TEST_TRAINING_EPOCH=1"}, spec);
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(unknown),
              HasSubstr("unknown environment variable 'MILLRACE_TEST_TRAINING_EPOCH'"));
  EXPECT_EQ(Fix(unknown), "did you mean 'MILLRACE_TEST_TRAINING_EPOCHS'?");

  const absl::Status wrong = FillFromEnvironment(
      "MILLRACE_TEST", {"MILLRACE_TEST_MODEL=iris", "MILLRACE_TEST_TRAINING_EPOCHS=many"}, spec);
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(wrong),
              HasSubstr("MILLRACE_TEST_TRAINING_EPOCHS: training.epochs must be a whole number"));
  EXPECT_EQ(spec.ByteSizeLong(), 0U);
}

TEST(ConfigTest, HelpHasOneLineAFieldWithItsDefault) {
  PipelineSpec spec;
  spec.set_model("iris");
  spec.mutable_training()->set_epochs(20);

  const std::string help = Help("millrace-test", spec);

  EXPECT_THAT(help, HasSubstr("usage: millrace-test [FLAG]..."));
  EXPECT_THAT(help,
              HasSubstr("  --model VALUE                    a text of UTF-8; default iris\n"));
  EXPECT_THAT(help, HasSubstr("--training.epochs VALUE"));
  EXPECT_THAT(help, HasSubstr("; default 20\n"));
  EXPECT_THAT(help, HasSubstr("--dataset.options.keep-duplicates "));
  EXPECT_THAT(help, HasSubstr("--config FILE"));
}

}  // namespace
}  // namespace millrace::config
