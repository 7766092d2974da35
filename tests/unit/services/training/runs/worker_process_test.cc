#include "services/training/runs/worker_process.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "common/status/status.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/runs/scripted_worker.h"

namespace millrace::training {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr milliseconds kLong{600'000};

class WorkerProcessTest : public testing::Test {
 public:
  // Whatever happened, there is no child left.
  ~WorkerProcessTest() override {
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }

 protected:
  WorkerProcessTest() {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  }

  absl::StatusOr<WorkerEnd> Run(milliseconds grace = kLong) {
    return RunWorker({.program = worker_.Program(), .grace = grace},
                     task_,
                     stop_.get_token(),
                     [&](std::vector<v1::WorkerReport> reports) {
                       for (const v1::WorkerReport& report : reports) {
                         notes_.push_back(report.note());
                       }
                       return on_reports_ ? on_reports_() : absl::OkStatus();
                     });
  }

  ScriptedWorker worker_;
  v1::WorkerTask task_;
  std::stop_source stop_;
  std::vector<std::string> notes_;
  std::function<absl::Status()> on_reports_;
};

TEST_F(WorkerProcessTest, ReportsAreHandedOnAndTheLastOneIsKept) {
  worker_.SaysNote("one").SaysNote("two").SaysResult();

  const auto end = Run();

  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_THAT(notes_, ElementsAre("one", "two"));
  ASSERT_TRUE(end->last.has_value());
  EXPECT_EQ(end->last->result().weights_sha256(), "ab");
  EXPECT_EQ(end->process, "exited with code 0");
  EXPECT_EQ(end->signal, 0);
}

TEST_F(WorkerProcessTest, AWorkerThatGivesWayHasEndedWithThat) {
  worker_.SaysNote("one").GivesWay("the data service does not answer");

  const auto end = Run();

  ASSERT_TRUE(end.ok()) << end.status();
  ASSERT_TRUE(end->last.has_value());
  EXPECT_EQ(end->last->gave_way(), "the data service does not answer");
}

// A password of the service's environment is nothing that a worker should be able to print.
TEST_F(WorkerProcessTest, OnlyWhatAWorkerNeedsOfTheEnvironmentIsInherited) {
  setenv("MILLRACE_TEST_PASSWORD", "secret", 1);
  setenv("TZ", "UTC", 1);
  worker_.Does("test -z \"$MILLRACE_TEST_PASSWORD\" || exit 7");
  worker_.Does("test \"$TZ\" = UTC || exit 8");
  worker_.Does("test -n \"$PATH\" || exit 9");

  EXPECT_EQ(Run()->process, "exited with code 0");
  unsetenv("MILLRACE_TEST_PASSWORD");
  unsetenv("TZ");
}

TEST_F(WorkerProcessTest, TheTaskArrivesLengthDelimited) {
  task_.set_run("runs/r5");
  // A length byte, then the field's tag and length, then the name.
  worker_.Does("test \"$(head -c 10 | tail -c 7)\" = runs/r5 || exit 9");

  EXPECT_EQ(Run()->process, "exited with code 0");
}

TEST_F(WorkerProcessTest, NoDescriptorOfTheServiceIsInherited) {
  const int ours = dup(STDERR_FILENO);
  // 0 to 2, and the one that lists them.
  worker_.Does("exit $(ls /proc/self/fd | wc -l)");

  EXPECT_EQ(Run()->process, "exited with code 4");
  close(ours);
}

TEST_F(WorkerProcessTest, ASignalIsToldByItsName) {
  worker_.SaysNote("working").Does("kill -9 $$");

  const auto end = Run();

  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_FALSE(end->last.has_value());
  EXPECT_EQ(end->process, "was killed by signal 9 (Killed)");
  EXPECT_EQ(end->signal, SIGKILL);
}

TEST_F(WorkerProcessTest, AStopReachesTheWorkerAsSigterm) {
  worker_.SaysNote("working").GoesOn();
  on_reports_ = [&] {
    stop_.request_stop();
    return absl::OkStatus();
  };

  EXPECT_EQ(Run()->process, "was killed by signal 15 (Terminated)");
}

TEST_F(WorkerProcessTest, AStopBeforeTheStartIsHeardToo) {
  worker_.GoesOn();
  stop_.request_stop();

  EXPECT_EQ(Run()->process, "was killed by signal 15 (Terminated)");
}

TEST_F(WorkerProcessTest, OneThatIsDeafIsKilledAfterTheGrace) {
  worker_.IsDeaf().SaysNote("working").GoesOn();
  on_reports_ = [&] {
    stop_.request_stop();
    return absl::OkStatus();
  };

  EXPECT_EQ(Run(milliseconds(20))->process, "was killed by signal 9 (Killed)");
}

TEST_F(WorkerProcessTest, OneThatClosesItsPipeAndGoesOnIsKilledToo) {
  worker_.IsDeaf().SaysResult().Does("exec >/dev/null").GoesOn();

  const auto end = Run(milliseconds(20));

  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_TRUE(end->last.has_value());
  EXPECT_EQ(end->process, "was killed by signal 9 (Killed)");
}

TEST_F(WorkerProcessTest, WhatAWorkerLeavesBehindEndsWithIt) {
  worker_.SaysNote("working").Does("tail -f /dev/null &").Does("exit 3");

  const absl::StatusOr<WorkerEnd> end = Run();

  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->process, "exited with code 3");
}

TEST_F(WorkerProcessTest, AnErrorOfTheHandlerEndsTheWorker) {
  worker_.SaysNote("working").GoesOn();
  on_reports_ = [] { return ResourceExhausted("the disk is full"); };

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kResourceExhausted, "the disk is full"));
}

TEST_F(WorkerProcessTest, OutputThatIsNoReportEndsTheWorker) {
  worker_.Does("yes | head -c 200").GoesOn();

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kDataLoss, "no report"));
}

TEST_F(WorkerProcessTest, AProgramThatIsNotThereIsToldWithTheSetting) {
  const auto end =
      RunWorker({.program = "/nowhere/millrace-worker"}, task_, stop_.get_token(), [](const auto&) {
        return absl::OkStatus();
      });

  EXPECT_THAT(end, Fails(absl::StatusCode::kUnavailable, "/nowhere/millrace-worker"));
  EXPECT_THAT(Fix(end.status()), HasSubstr("`worker`"));
}

}  // namespace
}  // namespace millrace::training
