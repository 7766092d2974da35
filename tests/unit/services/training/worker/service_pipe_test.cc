#include "services/training/worker/service_pipe.h"

#include <array>
#include <condition_variable>
#include <csignal>
#include <mutex>

#include <gmock/gmock.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/services/training/fails.h"

namespace millrace::training {
namespace {

// A worker makes its pipe before any thread; here other tests have started gRPC's threads before,
// and one of them would take the signal and end the program.
class BlockedStopSignals : public testing::Environment {
 public:
  void SetUp() override {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &signals, nullptr), 0);
  }
};

const testing::Environment* const kBlocked =
    testing::AddGlobalTestEnvironment(new BlockedStopSignals);

// The service's ends of the two pipes.
struct ServiceEnds {
  ServiceEnds() {
    std::array<int, 2> task{};
    std::array<int, 2> report{};
    EXPECT_EQ(pipe(task.data()), 0);
    EXPECT_EQ(pipe(report.data()), 0);
    worker_task = task[0];
    write_task = task[1];
    read_report = report[0];
    worker_report = report[1];
  }

  void SendTask() const {
    v1::WorkerTask task;
    task.set_run("runs/r1");
    google::protobuf::util::SerializeDelimitedToFileDescriptor(task, write_task);
  }

  int worker_task = -1;
  int write_task = -1;
  int read_report = -1;
  int worker_report = -1;
};

void AwaitStop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });
}

TEST(ServicePipeTest, ATaskComesInAndReportsGoOut) {
  const ServiceEnds service;
  ServicePipe pipe(service.worker_task, service.worker_report);
  service.SendTask();

  const auto task = pipe.ReadTask();
  v1::WorkerReport report;
  report.set_note("done");
  ASSERT_TRUE(pipe.Report(report).ok());

  ASSERT_TRUE(task.ok()) << task.status();
  EXPECT_EQ(task->run(), "runs/r1");
  google::protobuf::io::FileInputStream stream(service.read_report);
  v1::WorkerReport received;
  ASSERT_TRUE(
      google::protobuf::util::ParseDelimitedFromZeroCopyStream(&received, &stream, nullptr));
  EXPECT_EQ(received.note(), "done");
}

TEST(ServicePipeTest, SigtermIsAWishToStop) {
  const ServiceEnds service;
  ServicePipe pipe(service.worker_task, service.worker_report);
  service.SendTask();
  ASSERT_TRUE(pipe.ReadTask().ok());
  EXPECT_FALSE(pipe.stop_token().stop_requested());

  kill(getpid(), SIGTERM);

  AwaitStop(pipe.stop_token());
}

TEST(ServicePipeTest, NoTaskIsAnError) {
  const ServiceEnds service;
  ServicePipe pipe(service.worker_task, service.worker_report);
  close(service.write_task);

  EXPECT_THAT(pipe.ReadTask(), Fails(absl::StatusCode::kInvalidArgument, "found nothing"));
}

TEST(ServicePipeTest, SomethingElseThanATaskIsAnError) {
  const ServiceEnds service;
  ServicePipe pipe(service.worker_task, service.worker_report);
  ASSERT_EQ(write(service.write_task, "\x02\xff\xff", 3), 3);
  close(service.write_task);

  EXPECT_THAT(pipe.ReadTask(), Fails(absl::StatusCode::kInvalidArgument, "something else"));
}

TEST(ServicePipeTest, AReportToAServiceThatIsGoneIsAnErrorAndNoSignal) {
  const ServiceEnds service;
  ServicePipe pipe(service.worker_task, service.worker_report);
  close(service.read_report);
  v1::WorkerReport report;
  report.set_note("nobody hears");

  EXPECT_THAT(pipe.Report(report), Fails(absl::StatusCode::kUnavailable, "does not take reports"));
}

TEST(ServicePipeDeathTest, TheProcessEndsWhenTheServiceIsGone) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        const ServiceEnds service;
        ServicePipe pipe(service.worker_task, service.worker_report);
        service.SendTask();
        const auto task = pipe.ReadTask();
        close(service.write_task);
        AwaitStop({});
      },
      testing::ExitedWithCode(1),
      "");
}

}  // namespace
}  // namespace millrace::training
