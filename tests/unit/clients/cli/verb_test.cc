#include "clients/cli/verb.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/clients/cli/command_test.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;

using VerbTest = CommandTest;

TEST_F(VerbTest, ADryRunSaysWhatItWouldDoAndDoesNothing) {
  const CommandResult result = Command({"model", "rm", "iris@1", "--dry-run"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.err, "would delete models/iris/versions/1\n");
}

TEST_F(VerbTest, WhatAddsThingsHasADryRunToo) {
  EXPECT_EQ(Command({"dataset", "import", "x.csv", "--name=x", "--dry-run"}).err,
            "would import 'x.csv' as x\n");
  const std::string spec = File("spec.yaml", "epochs: 3\n");
  EXPECT_EQ(Command({"run", "start", "-f", spec, "--dataset=x", "--model=y", "--dry-run"}).err,
            "would train y on x\n");
}

TEST_F(VerbTest, WhereNobodyCanBeAskedOnlyAFlagIsAYes) {
  EXPECT_THAT(
      Command({"dataset", "rm", "iris"}),
      FailsWith(Exit::kUsage, "nobody is here to be asked whether to delete datasets/iris"));
}

TEST_F(VerbTest, APersonIsAsked) {
  serving_.delete_model_version = [](const auto&, auto&) { return absl::OkStatus(); };
  answer_ = "y\n";
  const CommandResult yes = Command({"model", "rm", "iris@1"});
  EXPECT_EQ(yes.err, "delete models/iris/versions/1? [y/N] ");
  EXPECT_EQ(yes.out, "deleted iris@1\n");
  answer_ = "\n";
  EXPECT_THAT(Command({"model", "rm", "iris@1"}), FailsWith(Exit::kFailed, "nothing was done"));
}

TEST_F(VerbTest, AnErrorTellsTheRequestsId) {
  data_.get_dataset = [](const auto&, auto&) { return absl::NotFoundError("no such thing"); };
  EXPECT_THAT(Command({"dataset", "show", "iris"}).err,
              testing::ContainsRegex("code: NOT_FOUND .exit 3., request [0-9a-f]{16}\n"));
}

}  // namespace
}  // namespace millrace::cli
