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
  data_.get_dataset = [](const auto&, auto&) { return absl::OkStatus(); };
  serving_.list_models = [](const auto&, auto&) { return absl::OkStatus(); };
  training_.list_runs = [](const auto&, auto&) { return absl::OkStatus(); };
  const CommandResult result = Command({"dataset", "rm", "iris@1", "--dry-run"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.err, "would delete iris@1\n");
}

TEST_F(VerbTest, WhatAddsThingsHasADryRunToo) {
  training_.create_run = [](const training::v1::CreateRunRequest& request, auto& run) {
    EXPECT_TRUE(request.validate_only());
    run.set_dataset_version("datasets/x/versions/2");
    return absl::OkStatus();
  };
  const std::string spec = File("spec.yaml", "epochs: 3\n");
  EXPECT_EQ(Command({"run", "start", "-f", spec, "--dataset=x", "--model=y", "--dry-run"}).err,
            "would train y on x@2\n");
}

TEST_F(VerbTest, WhereNobodyCanBeAskedOnlyAFlagIsAYes) {
  data_.get_dataset = [](const auto&, auto&) { return absl::OkStatus(); };
  EXPECT_THAT(Command({"dataset", "rm", "iris"}),
              FailsWith(Exit::kUsage, "nobody is here to be asked whether to delete iris"));
}

TEST_F(VerbTest, APersonIsAsked) {
  training_.get_run = [](const auto&, auto&) { return absl::OkStatus(); };
  training_.delete_run = [](const auto&, auto&) { return absl::OkStatus(); };
  answer_ = "y\n";
  const CommandResult yes = Command({"run", "rm", "amber-owl"});
  EXPECT_EQ(yes.err, "delete amber-owl? [y/N] ");
  EXPECT_EQ(yes.out, "deleted run amber-owl\n");
  answer_ = "\n";
  EXPECT_THAT(Command({"run", "rm", "amber-owl"}), FailsWith(Exit::kFailed, "nothing was done"));
}

TEST_F(VerbTest, AnErrorTellsTheRequestsId) {
  data_.get_dataset = [](const auto&, auto&) { return absl::NotFoundError("no such thing"); };
  EXPECT_THAT(Command({"dataset", "show", "iris"}).err,
              testing::ContainsRegex("code: NOT_FOUND .exit 3., request [0-9a-f]{16}\n"));
}

}  // namespace
}  // namespace millrace::cli
