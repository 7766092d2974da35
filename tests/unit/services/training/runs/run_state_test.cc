#include "services/training/runs/run_state.h"

#include <set>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/training/fails.h"

namespace millrace::training {
namespace {

// Every pair of states: the moves of the picture in run_state.h, and no other.
TEST(RunStateTest, OnlyTheMovesOfThePictureAreLegal) {
  const std::set<std::pair<v1::Run::State, v1::Run::State>> legal{
      {v1::Run::STATE_UNSPECIFIED, v1::Run::STATE_QUEUED},
      {v1::Run::STATE_QUEUED, v1::Run::STATE_RUNNING},
      {v1::Run::STATE_QUEUED, v1::Run::STATE_CANCELLED},
      {v1::Run::STATE_RUNNING, v1::Run::STATE_CANCELLING},
      {v1::Run::STATE_RUNNING, v1::Run::STATE_FAILED},
      {v1::Run::STATE_RUNNING, v1::Run::STATE_WAITING},
      {v1::Run::STATE_RUNNING, v1::Run::STATE_PUBLISHING},
      {v1::Run::STATE_RUNNING, v1::Run::STATE_UNPUBLISHED},
      {v1::Run::STATE_WAITING, v1::Run::STATE_WAITING},
      {v1::Run::STATE_WAITING, v1::Run::STATE_RUNNING},
      {v1::Run::STATE_WAITING, v1::Run::STATE_CANCELLING},
      {v1::Run::STATE_WAITING, v1::Run::STATE_FAILED},
      {v1::Run::STATE_CANCELLING, v1::Run::STATE_CANCELLED},
      {v1::Run::STATE_PUBLISHING, v1::Run::STATE_PUBLISHING},
      {v1::Run::STATE_PUBLISHING, v1::Run::STATE_SUCCEEDED},
      {v1::Run::STATE_PUBLISHING, v1::Run::STATE_UNPUBLISHED},
      {v1::Run::STATE_UNPUBLISHED, v1::Run::STATE_PUBLISHING},
  };
  for (int from = v1::Run::State_MIN; from <= v1::Run::State_MAX; ++from) {
    for (int to = v1::Run::State_MIN; to <= v1::Run::State_MAX; ++to) {
      v1::Run run;
      run.set_name("runs/r1");
      run.set_state(static_cast<v1::Run::State>(from));

      const absl::Status moved = MoveTo(static_cast<v1::Run::State>(to), run);

      if (legal.contains({static_cast<v1::Run::State>(from), static_cast<v1::Run::State>(to)})) {
        EXPECT_TRUE(moved.ok()) << moved;
        EXPECT_EQ(run.state(), to);
      } else {
        EXPECT_THAT(moved, Fails(absl::StatusCode::kFailedPrecondition, "cannot become"));
        EXPECT_EQ(run.state(), from);
      }
    }
  }
}

TEST(RunStateTest, ARefusalNamesTheRunAndBothStates) {
  v1::Run run;
  run.set_name("runs/r7");
  run.set_state(v1::Run::STATE_SUCCEEDED);

  EXPECT_THAT(MoveTo(v1::Run::STATE_RUNNING, run),
              Fails(absl::StatusCode::kFailedPrecondition,
                    "runs/r7 is succeeded and cannot become running"));
}

TEST(RunStateTest, ThreeStatesAreTheEndAndAnUnpublishedRunRests) {
  const std::set<int> terminal{
      v1::Run::STATE_SUCCEEDED, v1::Run::STATE_FAILED, v1::Run::STATE_CANCELLED};
  for (int state = v1::Run::State_MIN; state <= v1::Run::State_MAX; ++state) {
    EXPECT_EQ(IsTerminal(static_cast<v1::Run::State>(state)), terminal.contains(state)) << state;
    EXPECT_EQ(IsAtRest(static_cast<v1::Run::State>(state)),
              terminal.contains(state) || state == v1::Run::STATE_UNPUBLISHED)
        << state;
  }
}

}  // namespace
}  // namespace millrace::training
