// Runs whose worker or whose service ends in the middle: they go on, and end as if nothing had
// happened.

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/process.h"
#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/long_run.h"

namespace millrace::integration {
namespace {

using testing::Contains;
using testing::HasSubstr;
using training::v1::RunEvent;

// What a run did, epoch by epoch.
struct History {
  training::v1::Run run;           // as it ended
  std::vector<double> losses;      // one an epoch, in the order of the events
  std::vector<int> epochs;         // their numbers
  std::vector<std::string> notes;  // what is said beside
};

class RunsTest : public LocalServicesTest {
 protected:
  static void SetUpTestSuite() {
    StartServices({.training = {"--checkpoint-seconds=0", "--drain-seconds=1"}});
    Require(ImportLongData(clients()).status());
    const auto run =
        Call(clients().training(), &TrainingStub::CreateRun, Request("undisturbed")).value();
    undisturbed = HistoryOf(run);
  }

  // A run of a dozen epochs: enough to end what does it in the middle.
  static training::v1::CreateRunRequest Request(const std::string& model) {
    auto request = LongRun(model);
    request.mutable_spec()->set_epochs(12);
    return request;
  }

  // Watches a run to its end.
  static History HistoryOf(const training::v1::Run& run) {
    History history;
    const auto events = Watch(clients().training(), run.name()).value();
    for (const RunEvent& event : events) {
      if (event.has_run()) {
        history.run = event.run();
      } else if (event.has_epoch()) {
        history.losses.push_back(event.epoch().train_loss());
        history.epochs.push_back(event.epoch().epoch());
      } else {
        history.notes.push_back(event.note());
      }
    }
    return history;
  }

  static History undisturbed;
};

History RunsTest::undisturbed;

struct Interruption {
  const char* name;
  std::function<void(LocalServices&)> interrupt;  // while a worker is at it
  const char* note;
};

void PrintTo(const Interruption& interruption, std::ostream* out) {
  *out << interruption.name;
}

class InterruptionTest : public RunsTest, public testing::WithParamInterface<Interruption> {};

TEST_P(InterruptionTest, LeavesNoTraceInWeightsFiguresAndEpochs) {
  const auto run = StartRun(clients().training(), Request("disturbed")).value();
  const std::vector<cli::Process> workers = services().Children(Service::kTraining);
  ASSERT_EQ(workers.size(), 1);
  GetParam().interrupt(services());
  EXPECT_TRUE(workers[0].WaitForEnd(kCallMax));
  Reconnect();

  const History history = HistoryOf(run);
  EXPECT_EQ(history.run.state(), training::v1::Run::STATE_SUCCEEDED) << history.run.failure();
  EXPECT_EQ(history.run.weights_sha256(), undisturbed.run.weights_sha256());
  EXPECT_EQ(BytesOf(EvaluationOf(history.run, schema::v1::SPLIT_TEST)),
            BytesOf(EvaluationOf(undisturbed.run, schema::v1::SPLIT_TEST)));
  EXPECT_EQ(history.epochs, undisturbed.epochs);
  EXPECT_EQ(history.losses, undisturbed.losses);
  EXPECT_THAT(history.notes, Contains(HasSubstr(GetParam().note)));
}

const std::vector<Interruption> kInterruptions{
    {"OfAWorkerThatIsKilled",
     [](LocalServices& services) {
       for (const cli::Process& worker : services.Children(Service::kTraining)) {
         worker.Signal(SIGKILL);
       }
     },
     "the worker was killed by signal 9 (Killed) and is started again"},
    {"OfAServiceThatIsStopped",
     [](LocalServices& services) {
       EXPECT_EQ(services.Stop(Service::kTraining).value().exit_code, 0);
       Require(services.Start(Service::kTraining));
     },
     "the training service was restarted, and the run goes on"},
    {"OfAServiceThatIsKilled",
     [](LocalServices& services) {
       Require(services.Kill(Service::kTraining));
       Require(services.Start(Service::kTraining));
     },
     "the training service was restarted, and the run goes on"}};

INSTANTIATE_TEST_SUITE_P(Of,
                         InterruptionTest,
                         testing::ValuesIn(kInterruptions),
                         [](const auto& test) { return test.param.name; });

TEST_F(RunsTest, ARunWhoseWorkersAreKilledAgainAndAgainFailsAndTouchesNoOther) {
  const auto run = StartRun(clients().training(), LongRun("killed")).value();
  training::v1::GetRunRequest request;
  request.set_name(run.name());
  const auto get = [&] {
    return Call(clients().training(), &TrainingStub::GetRun, request).value();
  };
  // Each worker is killed as soon as it is seen.
  while (get().state() == training::v1::Run::STATE_RUNNING) {
    for (const cli::Process& worker : services().Children(Service::kTraining)) {
      worker.Signal(SIGKILL);
    }
  }
  const auto ended = get();
  EXPECT_EQ(ended.state(), training::v1::Run::STATE_FAILED);
  EXPECT_EQ(ended.failure(),
            "the worker was killed by signal 9 (Killed) before it had a result, as in the 2 starts "
            "before without a new epoch or checkpoint");
  EXPECT_EQ(ended.model_version(), "");
  const auto next = Train(clients().training(), Request("next")).value();
  EXPECT_EQ(next.weights_sha256(), undisturbed.run.weights_sha256());
}

}  // namespace
}  // namespace millrace::integration
