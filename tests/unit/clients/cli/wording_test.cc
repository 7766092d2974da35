#include "clients/cli/wording.h"

#include <string>

#include <absl/status/status.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::cli {
namespace {

std::string Told(const char* command, const absl::Status& status) {
  return std::string(Message(InWordsOf(command, {}, status)));
}

TEST(WordingTest, FieldsAreFlags) {
  EXPECT_EQ(
      Told("dataset import",
           InvalidArgument("options.train_fraction and options.validation_fraction must be at "
                           "most 1 together, found 2")),
      "--train-fraction and --validation-fraction must be at most 1 together, found 2");
  EXPECT_EQ(Told("pipeline apply", InvalidArgument("options.train_fraction must be in (0, 1]")),
            "dataset.options.train_fraction must be in (0, 1]");
  EXPECT_EQ(Told("run start", InvalidArgument("training.optimizer.adam.beta_1 must be below 1")),
            "optimizer.adam.beta_1 must be below 1");
}

TEST(WordingTest, NamesAreThoseOfPeople) {
  EXPECT_EQ(Told("dataset import",
                 InvalidArgument("header.dataset must be 'datasets/{{id}}' or "
                                 "'datasets/{{id}}/versions/{{number or sha256:digest}}', found "
                                 "'datasets/My Data'")),
            "--name must be NAME, NAME@VERSION or NAME@sha256:DIGEST, found 'My Data'");
}

TEST(WordingTest, EnumsAreWordsAndQuotesAreTheUsers) {
  EXPECT_EQ(WithEnumWords("column 'TASK_X' is COLUMN_TYPE_REAL, found TASK_MULTICLASS"),
            "column 'TASK_X' is real, found multiclass");
  EXPECT_EQ(WithEnumWords("it is 1:17: STATE_ and A_TASK_X"), "it is 1:17: STATE_ and A_TASK_X");
}

TEST(WordingTest, AnApostropheOpensNoQuote) {
  EXPECT_EQ(WithEnumWords("the file's column is TASK_BINARY"), "the file's column is binary");
}

TEST(WordingTest, CodeAndFixStay) {
  const absl::Status told = InWordsOf(
      "dataset import", {}, WithFix(NotFound("options.label is missing"), "give options.label"));
  EXPECT_TRUE(absl::IsNotFound(told));
  EXPECT_EQ(Fix(told), "give --label");
  EXPECT_TRUE(InWordsOf("run start", {}, absl::OkStatus()).ok());
}

}  // namespace
}  // namespace millrace::cli
