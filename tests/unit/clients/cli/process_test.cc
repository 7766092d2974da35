#include "clients/cli/process.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/status/status.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Optional;
using training::Fails;

constexpr seconds kSoon{30};  // far more than any of it takes

// Starts programs with a log of the test's own, and ends what still goes on.
class ProcessTest : public testing::Test {
 protected:
  absl::StatusOr<Process> Start(const std::vector<std::string>& words) {
    return Process::Start(words, log());
  }

  [[nodiscard]] std::string log() const { return folder_.path() + "/log"; }

  [[nodiscard]] std::string Log() const {
    std::ostringstream text;
    text << std::ifstream(log()).rdbuf();
    return text.str();
  }

  storage::TemporaryFolder folder_;
};

// Ends `process` and takes it from the list of children.
void End(Process& process) {
  process.Signal(SIGKILL);
  ASSERT_TRUE(process.WaitForEnd(kSoon));
  EXPECT_TRUE(process.TakeExitCode().has_value());
}

TEST_F(ProcessTest, ItsExitCodeIsTakenOnce) {
  auto process = Start({"/bin/sh", "-c", "exit 7"});
  ASSERT_TRUE(process.ok()) << process.status();
  ASSERT_TRUE(process->WaitForEnd(kSoon));
  EXPECT_THAT(process->TakeExitCode(), Optional(7));
  EXPECT_EQ(process->TakeExitCode(), std::nullopt);
}

TEST_F(ProcessTest, ASignalsExitCodeIsCountedFrom128) {
  auto process = Start({"/bin/sleep", "600"});
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_FALSE(process->WaitForEnd(milliseconds(0)));
  EXPECT_EQ(process->TakeExitCode(), std::nullopt);
  process->Signal(SIGKILL);
  ASSERT_TRUE(process->WaitForEnd(kSoon));
  EXPECT_THAT(process->TakeExitCode(), Optional(128 + SIGKILL));
}

TEST_F(ProcessTest, BothItsStreamsGoToTheLog) {
  std::ofstream(log()) << "earlier\n";
  auto process = Start({"/bin/sh", "-c", "echo out; echo err >&2; cat"});
  ASSERT_TRUE(process.ok()) << process.status();
  ASSERT_TRUE(process->WaitForEnd(kSoon));
  EXPECT_THAT(process->TakeExitCode(), Optional(0));
  EXPECT_EQ(Log(), "earlier\nout\nerr\n");
}

TEST_F(ProcessTest, ItHasASessionOfItsOwn) {
  auto process = Start({"/bin/sleep", "600"});
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(getsid(process->pid()), process->pid());
  End(*process);
}

TEST_F(ProcessTest, SignalsThatWeBlockReachIt) {
  sigset_t set;
  sigset_t before;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
  auto process = Start({"/bin/sleep", "600"});
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_TRUE(process->Stop(kSoon).ok());
  EXPECT_THAT(process->TakeExitCode(), Optional(128 + SIGTERM));
}

TEST_F(ProcessTest, AMissingProgramIsNotFound) {
  const auto process = Start({folder_.path() + "/none"});
  EXPECT_THAT(process, Fails(absl::StatusCode::kNotFound, "there is no program"));
  EXPECT_THAT(Fix(process.status()), HasSubstr("beside 'millrace'"));
}

TEST_F(ProcessTest, WhatIsNoProgramCannotBeStarted) {
  const std::string path = folder_.path() + "/text";
  std::ofstream(path) << "no program\n";
  EXPECT_THAT(Start({path}), Fails(absl::StatusCode::kUnavailable, "Permission denied"));
}

TEST_F(ProcessTest, AMissingLogFolderIsNotTakenForAMissingProgram) {
  const auto process = Process::Start({"/bin/true"}, folder_.path() + "/none/log");
  EXPECT_THAT(process, Fails(absl::StatusCode::kUnavailable, "cannot start '/bin/true'"));
  EXPECT_THAT(Fix(process.status()), HasSubstr("/none/log' can be written"));
}

TEST_F(ProcessTest, ItsTicketFindsIt) {
  auto process = Start({"/bin/sleep", "600"});
  ASSERT_TRUE(process.ok()) << process.status();
  const auto ticket = process->Ticket();
  ASSERT_TRUE(ticket.ok()) << ticket.status();
  const auto found = Process::Find(*ticket);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->pid(), process->pid());
  EXPECT_TRUE(found->Stop(kSoon).ok());
  EXPECT_TRUE(process->WaitForEnd(kSoon));
  EXPECT_THAT(process->TakeExitCode(), Optional(128 + SIGTERM));
}

TEST_F(ProcessTest, TheTicketOfAnEndedProcessFindsNone) {
  auto process = Start({"/bin/sleep", "600"});
  ASSERT_TRUE(process.ok()) << process.status();
  const auto ticket = process->Ticket();
  ASSERT_TRUE(ticket.ok()) << ticket.status();
  process->Signal(SIGKILL);
  ASSERT_TRUE(process->WaitForEnd(kSoon));
  // Ended, but not yet taken from the list of processes.
  EXPECT_THAT(Process::Find(*ticket), Fails(absl::StatusCode::kNotFound, "has ended"));
  EXPECT_THAT(process->Ticket(), Fails(absl::StatusCode::kNotFound, "has ended"));
  EXPECT_TRUE(process->TakeExitCode().has_value());
  EXPECT_THAT(Process::Find(*ticket), Fails(absl::StatusCode::kNotFound, "has ended"));
}

TEST_F(ProcessTest, ATicketOfAnotherStartNamesAnotherProcess) {
  EXPECT_THAT(Process::Find(fmt::format("{} 1", getpid())),
              Fails(absl::StatusCode::kNotFound, "is another one now"));
}

TEST_F(ProcessTest, WhatIsNoTicketNamesNoProcess) {
  for (const char* const ticket : {"", "x", "-1 5", "0 5", "12"}) {
    EXPECT_THAT(Process::Find(ticket), Fails(absl::StatusCode::kNotFound, "names no process"))
        << ticket;
  }
}

TEST_F(ProcessTest, OneThatDoesNotStopIsUnavailable) {
  auto process = Start({"/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 600; done"});
  ASSERT_TRUE(process.ok()) << process.status();
  while (Log() != "ready\n") {
    ASSERT_FALSE(process->WaitForEnd(milliseconds(5)));
  }
  const absl::Status status = process->Stop(milliseconds(20));
  EXPECT_THAT(status, Fails(absl::StatusCode::kUnavailable, "did not stop"));
  EXPECT_EQ(Fix(status), fmt::format("'kill -9 {}' ends it", process->pid()));
  kill(-process->pid(), SIGKILL);  // with its `sleep`
  End(*process);
}

TEST_F(ProcessTest, StoppingOneThatHasEndedIsDone) {
  auto process = Start({"/bin/true"});
  ASSERT_TRUE(process.ok()) << process.status();
  ASSERT_TRUE(process->WaitForEnd(kSoon));
  EXPECT_TRUE(process->Stop(milliseconds(0)).ok());
  EXPECT_TRUE(process->TakeExitCode().has_value());
}

TEST_F(ProcessTest, ItOutlivesItsObjectAndMovesWithIt) {
  auto process = Start({"/bin/sleep", "600"});
  ASSERT_TRUE(process.ok()) << process.status();
  const std::string ticket = *process->Ticket();
  {
    const Process moved = *std::move(process);
    EXPECT_GE(moved.descriptor(), 0);
  }
  auto found = Process::Find(ticket);
  ASSERT_TRUE(found.ok()) << found.status();
  End(*found);
}

}  // namespace
}  // namespace millrace::cli
