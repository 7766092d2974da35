#include "clients/cli/run_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/training/v1/training_service.pb.h"

#include "tests/unit/clients/cli/samples.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using RunMessage = training::v1::Run;  // a test has a Run() of its own

TEST(RunSummaryTest, ARunThatSucceededHasItsModelAndFigures) {
  EXPECT_EQ(RunSummary(SampleRun(RunMessage::STATE_SUCCEEDED)),
            "run      amber-owl\n"
            "state    succeeded\n"
            "dataset  iris@1\n"
            "model    iris@3\n"
            "network  16 tanh, dropout 0.2, 2\n"
            "epochs   20/20, kept 15\n"
            "seed     7\n"
            "weights  sha256:wwwwwwwwwwww\n"
            "SPLIT  EXAMPLES    LOSS  ACCURACY\n"
            "test         23  0.0931    0.9565\n");
}

TEST(RunSummaryTest, ARunThatGoesOnHasNeither) {
  RunMessage run = SampleRun(RunMessage::STATE_RUNNING);
  run.set_epochs_done(4);
  EXPECT_EQ(RunSummary(run),
            "run      amber-owl\n"
            "state    running\n"
            "dataset  iris@1\n"
            "model    iris\n"
            "network  16 tanh, dropout 0.2, 2\n"
            "epochs   4/20\n"
            "seed     7\n");
}

TEST(RunSummaryTest, ARunThatFailedSaysWhy) {
  RunMessage run = SampleRun(RunMessage::STATE_FAILED);
  run.set_failure("the loss is no number\x1b[2J");
  EXPECT_THAT(RunSummary(run), HasSubstr("failure  the loss is no number\\x1b[2J\n"));
  EXPECT_THAT(RunSummary(run), Not(HasSubstr("weights")));
}

TEST(RunSummaryTest, ALongFailureGoesOnBelowItself) {
  RunMessage run = SampleRun(RunMessage::STATE_FAILED);
  run.set_failure("the loss is no longer a finite number in epoch 1; lower learning_rate");
  EXPECT_THAT(RunSummary(run, {.columns = 50}), HasSubstr("state    failed\n"));
  EXPECT_THAT(RunSummary(run, {.columns = 50}),
              HasSubstr("failure  the loss is no longer a finite number in\n"
                        "         epoch 1; lower learning_rate\n"));
}

TEST(RunSummaryTest, ARunThatWaitsSaysForWhat) {
  RunMessage run = SampleRun(RunMessage::STATE_WAITING);
  run.set_reason("the data service is away");
  EXPECT_THAT(RunSummary(run), HasSubstr("state    waiting\nreason   the data service is away\n"));
}

}  // namespace
}  // namespace millrace::cli
