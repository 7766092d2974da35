#include "services/training/rpc/training_service.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/model/bundle.h"
#include "common/storage/sha256.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/rpc/training_stack.h"
#include "tests/unit/services/training/whole_file.h"

namespace millrace::training {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using v1::RunEvent;

// Process ids of this process' children.
std::vector<pid_t> Children() {
  std::vector<pid_t> children;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream stream(thread.path() / "children");
    for (pid_t child = 0; stream >> child;) {
      children.push_back(child);
    }
  }
  return children;
}

// Ends every worker at once, as whoever takes memory back does.
void KillWorkers() {
  for (const pid_t child : Children()) {
    kill(child, SIGKILL);
  }
}

// What a run tells of itself, but for the time that it took.
struct History {
  std::vector<std::string> epochs;
  std::vector<std::string> notes;
  v1::Run run;  // at its end
};

History HistoryOf(const std::vector<RunEvent>& events) {
  History history;
  for (const RunEvent& event : events) {
    if (event.has_epoch()) {
      model::v1::EpochMetrics metrics = event.epoch();
      metrics.clear_seconds();
      metrics.clear_examples_per_second();
      history.epochs.push_back(metrics.SerializeAsString());
    } else if (event.has_note()) {
      history.notes.push_back(event.note());
    }
  }
  history.run = events.empty() ? v1::Run() : events.back().run();
  return history;
}

// The first run of a stack, of which every epoch is kept. Its worker can be held at its end, so
// that whatever a test does to it before that finds it alive.
class DurableRun {
 public:
  explicit DurableRun(TrainingStack& stack) : stack_(stack) {
    stack.options.checkpoint_seconds = 0;
    stack.serving.before_answer = [this](int /*count*/, grpc::ServerContext& context) {
      if (at_answer) {
        at_answer(context);
      }
    };
  }

  std::string Create() {
    const auto run =
        stack_.Create(SeedRequest("epochs: 25 seed: 6 early_stopping { patience: 30 }"));
    EXPECT_TRUE(run.ok()) << run.status();
    return run.ok() ? run->name() : "";
  }

  // A folder in its place keeps the bundle from being written; the worker waits for that to pass.
  void Hold(bool is_held) {
    const std::string obstacle = stack_.options.folder + "/1/bundle.tmp";
    if (is_held) {
      std::filesystem::create_directories(obstacle);
    } else {
      std::filesystem::remove(obstacle);
    }
  }

  // Compares with a run of the same spec that nothing happens to.
  void ExpectAsUndisturbed(const History& history) {
    at_answer = {};
    Hold(false);
    ASSERT_EQ(history.run.state(), v1::Run::STATE_SUCCEEDED) << history.run.failure();
    EXPECT_EQ(VersionsOf(history.run.name()), 1);
    const History expected = HistoryOf(stack_.Watch(Create()));
    ASSERT_EQ(expected.run.state(), v1::Run::STATE_SUCCEEDED) << expected.run.failure();
    EXPECT_EQ(history.epochs, expected.epochs);
    EXPECT_EQ(history.run.weights_sha256(), expected.run.weights_sha256());
    EXPECT_EQ(history.run.best_epoch(), expected.run.best_epoch());
    stack_.Stop();
    EXPECT_TRUE(std::filesystem::is_empty(stack_.options.folder));
  }

  // Bundles of a run that serving has.
  int VersionsOf(const std::string& run) {
    int versions = 0;
    for (const std::string& bytes : stack_.serving.bundles()) {
      versions += model::ReadBundle(bytes)->manifest.lineage().run() == run ? 1 : 0;
    }
    return versions;
  }

  // When serving has a bundle and has not said so.
  std::function<void(grpc::ServerContext&)> at_answer;

 private:
  TrainingStack& stack_;
};

TEST(TrainingServiceTest, ARunGoesFromADatasetVersionToAPublishedModelVersion) {
  TrainingStack stack;
  stack.Start();

  const auto created = stack.Create(SeedRequest("epochs: 30 seed: 5"));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->state(), v1::Run::STATE_QUEUED);
  EXPECT_EQ(created->dataset_version(), "datasets/points/versions/1");
  EXPECT_EQ(created->spec().loss(), model::v1::LOSS_BINARY_CROSSENTROPY);
  const v1::Run run = stack.AwaitEnd(created->name());

  ASSERT_EQ(run.state(), v1::Run::STATE_SUCCEEDED) << run.failure();
  EXPECT_EQ(run.model_version(), "models/points/versions/1");
  EXPECT_EQ(run.epochs_done(), 30);
  EXPECT_EQ(run.best_epoch(), 30);
  ASSERT_EQ(run.evaluations_size(), 2);
  EXPECT_EQ(run.evaluations(0).split(), schema::v1::SPLIT_VALIDATION);
  EXPECT_EQ(run.evaluations(1).split(), schema::v1::SPLIT_TEST);
  EXPECT_EQ(run.evaluations(1).example_count(), 16);

  ASSERT_EQ(stack.serving.bundles().size(), 1U);
  const auto bundle = model::ReadBundle(stack.serving.bundles()[0]);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  const auto& manifest = bundle->manifest;
  EXPECT_EQ(manifest.lineage().run(), run.name());
  EXPECT_EQ(manifest.lineage().dataset_version(), "datasets/points/versions/1");
  EXPECT_EQ(manifest.lineage().dataset_sha256(), std::string(64, 'd'));
  ASSERT_EQ(manifest.lineage().sources_size(), 1);
  EXPECT_EQ(manifest.lineage().sources(0).name(), "points.csv");
  EXPECT_EQ(manifest.lineage().weights_sha256(), run.weights_sha256());
  EXPECT_THAT(manifest.lineage().build(), HasSubstr("+"));
  EXPECT_THAT(manifest.lineage().kernel_level(), HasSubstr("AVX"));
  EXPECT_EQ(manifest.train_statistics().row_count(), 96);
  EXPECT_EQ(manifest.transforms().input_count(), 2);
  EXPECT_EQ(manifest.schema().columns_size(), 3);
  EXPECT_EQ(manifest.training().epochs(), 30);
  EXPECT_EQ(manifest.tensors_size(), 4);
  EXPECT_EQ(bundle->weights.size(), 41U);
  EXPECT_EQ(manifest.evaluations_size(), 2);
}

TEST(TrainingServiceTest, TheSameSpecAndSeedGiveTheSameWeightsOnAnyNumberOfThreads) {
  TrainingStack stack;
  stack.Start();
  std::vector<std::string> digests;

  for (const char* more : {"seed: 3 threads: 1", "seed: 3 threads: 2", "seed: 4 threads: 1"}) {
    const auto created = stack.Create(SeedRequest(more));
    ASSERT_TRUE(created.ok()) << created.status();
    digests.push_back(stack.AwaitEnd(created->name()).weights_sha256());
  }

  EXPECT_EQ(digests[0].size(), 64U);
  EXPECT_EQ(digests[0], digests[1]);
  EXPECT_NE(digests[0], digests[2]);
}

TEST(TrainingServiceTest, ARefusedBundleLetsTheRunRestWithServingsWords) {
  TrainingStack stack;
  stack.serving.RefuseNext(
      {{grpc::StatusCode::INVALID_ARGUMENT, "the model takes no bundle today"}});
  stack.Start();
  const std::string name = stack.Create(SeedRequest())->name();

  const v1::Run run = stack.AwaitEnd(name);

  EXPECT_EQ(run.state(), v1::Run::STATE_UNPUBLISHED);
  EXPECT_THAT(run.reason(), HasSubstr("the model takes no bundle today"));
  EXPECT_EQ(run.weights_sha256().size(), 64U);
  EXPECT_EQ(run.evaluations_size(), 2);
  EXPECT_EQ(stack.PublishRun(name)->state(), v1::Run::STATE_PUBLISHING);
  const std::vector<RunEvent> later = stack.Watch(name);
  EXPECT_EQ(later.back().run().state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_THAT(stack.PublishRun(name),
              Fails(absl::StatusCode::kFailedPrecondition, "nothing to publish"));
}

TEST(TrainingServiceTest, PublishingGoesOnAfterTheServiceWasStopped) {
  TrainingStack stack;
  stack.serving.RefuseToCheck({grpc::StatusCode::UNAVAILABLE, "restarting"}, 1'000'000);
  stack.Start();
  const std::string name = stack.Create(SeedRequest())->name();
  stack.AwaitState(name, v1::Run::STATE_PUBLISHING);

  stack.Stop();
  stack.serving.RefuseToCheck({}, 0);
  stack.Start();

  EXPECT_EQ(stack.AwaitEnd(name).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(stack.serving.bundles().size(), 1U);
}

TEST(TrainingServiceTest, ADeletedRunIsGone) {
  TrainingStack stack;
  stack.Start();
  v1::CreateRunRequest request = SeedRequest("epochs: 100000");
  request.set_request_id("order-66");
  const std::string name = stack.Create(request)->name();
  stack.AwaitEpoch(name, 1);
  EXPECT_THAT(stack.Delete(name), Fails(absl::StatusCode::kFailedPrecondition, "is running"));
  ASSERT_TRUE(stack.Cancel(name).ok());
  stack.AwaitEnd(name);

  EXPECT_TRUE(stack.Delete(name).ok());

  EXPECT_THAT(stack.Get(name), Fails(absl::StatusCode::kNotFound, "there is no"));
  EXPECT_THAT(stack.Delete(name), Fails(absl::StatusCode::kNotFound, "there is no"));
  EXPECT_THAT(stack.Delete("runs"), Fails(absl::StatusCode::kInvalidArgument, "name"));
  EXPECT_NE(stack.Create(request)->name(), name);
}

// The worker's address space ends where its weights begin.
TEST(TrainingServiceTest, ARunThatDoesNotFitTheMemoryFailsOnceAndSaysSo) {
  if (kIsSanitized) {
    GTEST_SKIP() << "sanitizers reserve more address space than the test allows";
  }
  TrainingStack stack;
  const storage::TemporaryFolder folder;
  const std::string program = folder.path() + "/worker";
  std::ofstream(program) << "#!/bin/sh\necho start >>'" << folder.path()
                         << "/starts'\nulimit -v 1000000\nexec '" << MILLRACE_WORKER << "'\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  stack.options.worker.program = program;
  stack.Start();
  v1::CreateRunRequest request = SeedRequest();
  auto& layers = *request.mutable_spec()->mutable_network();
  layers.mutable_layers(0)->mutable_dense()->set_units(20'000);
  *layers.add_layers() = layers.layers(1);
  layers.mutable_layers(1)->mutable_dense()->set_units(20'000);

  const v1::Run run = stack.AwaitEnd(stack.Create(request)->name());

  EXPECT_EQ(run.state(), v1::Run::STATE_FAILED);
  EXPECT_EQ(run.failure_code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(run.failure(), HasSubstr("more memory than the machine gives its worker"));
  EXPECT_EQ(ReadAll(folder.path() + "/starts"), "start\n");
}

TEST(TrainingServiceTest, DamagedExamplesFailTheRun) {
  TrainingStack stack;
  stack.data.spoil = [](data::v1::ReadExamplesResponse& response) { response.clear_labels(); };
  stack.Start();

  const v1::Run run = stack.AwaitEnd(stack.Create(SeedRequest())->name());

  EXPECT_EQ(run.state(), v1::Run::STATE_FAILED);
  EXPECT_THAT(run.failure(), HasSubstr("train split differs from its description"));
  EXPECT_EQ(stack.serving.upload_count(), 0);
}

TEST(TrainingServiceTest, ADatasetOverTheMemoryLimitFailsTheRunWithTheFix) {
  TrainingStack stack;
  stack.options.examples_bytes_max = 1535;
  stack.Start();

  const v1::Run run = stack.AwaitEnd(stack.Create(SeedRequest())->name());

  EXPECT_EQ(run.state(), v1::Run::STATE_FAILED);
  EXPECT_THAT(run.failure(), HasSubstr("raise examples_bytes_max"));
}

TEST(TrainingServiceTest, AWorkerThatIsKilledWhileItTrainsGoesOn) {
  TrainingStack stack;
  DurableRun run(stack);
  run.Hold(true);
  stack.Start();

  const History history = HistoryOf(stack.Watch(run.Create(), 0, [&](const RunEvent& event) {
    if (event.epoch().epoch() == 1 || event.epoch().epoch() == 7) {
      KillWorkers();
      run.Hold(event.epoch().epoch() == 1);
    }
  }));

  EXPECT_THAT(history.notes, Contains(HasSubstr("was killed by signal 9")));
  EXPECT_THAT(history.notes, Contains(HasSubstr("resumed at epoch")));
  run.ExpectAsUndisturbed(history);
}

TEST(TrainingServiceTest, AWorkerThatIsKilledWhileItFetchesBeginsAgain) {
  TrainingStack stack;
  DurableRun run(stack);
  std::atomic<int> splits = 0;
  stack.data.before_examples = [&](schema::v1::Split /*split*/, grpc::ServerContext& /*context*/) {
    if (++splits == 2) {
      KillWorkers();
    }
    return grpc::Status::OK;
  };
  stack.Start();

  const History history = HistoryOf(stack.Watch(run.Create()));

  EXPECT_THAT(history.notes, Contains(HasSubstr("was killed by signal 9")));
  EXPECT_THAT(history.notes, Not(Contains(HasSubstr("resumed"))));
  run.ExpectAsUndisturbed(history);
}

// Serving has the model, and the service never hears of it.
TEST(TrainingServiceTest, AnAnswerThatIsLostMakesNoSecondVersion) {
  TrainingStack stack;
  DurableRun run(stack);
  std::atomic<bool> is_lost = false;
  run.at_answer = [&](grpc::ServerContext& context) {
    if (!is_lost.exchange(true)) {
      context.TryCancel();
    }
  };
  stack.Start();

  const History history = HistoryOf(stack.Watch(run.Create()));

  EXPECT_EQ(stack.serving.upload_count(), 2);
  run.ExpectAsUndisturbed(history);
}

TEST(TrainingServiceTest, AKilledWorkerTouchesNoOtherRun) {
  TrainingStack stack;
  stack.Start();
  const std::string name = stack.Create(SeedRequest("epochs: 100000"))->name();
  const std::string next = stack.Create(SeedRequest())->name();

  stack.AwaitEpoch(name, 1);
  KillWorkers();
  EXPECT_TRUE(stack.Cancel(name).ok());

  EXPECT_EQ(stack.AwaitEnd(name).state(), v1::Run::STATE_CANCELLED);
  EXPECT_EQ(stack.AwaitEnd(next).state(), v1::Run::STATE_SUCCEEDED);
}

TEST(TrainingServiceTest, ARunGoesOnAfterTheServiceWasStopped) {
  TrainingStack stack;
  DurableRun run(stack);
  run.Hold(true);
  stack.Start();
  const std::string name = run.Create();
  const std::string waiting = stack.Create(SeedRequest("epochs: 1"))->name();

  for (const int epoch : {1, 5}) {
    stack.AwaitEpoch(name, epoch);
    stack.Stop();
    EXPECT_TRUE(Children().empty());
    stack.Start();
    EXPECT_EQ(stack.Get(name)->state(), v1::Run::STATE_RUNNING);
  }
  run.Hold(false);
  const History history = HistoryOf(stack.Watch(name));

  EXPECT_EQ(std::count(history.notes.begin(),
                       history.notes.end(),
                       "the training service was restarted, and the run goes on"),
            2);
  EXPECT_THAT(history.notes, Contains(HasSubstr("resumed at epoch")));
  EXPECT_EQ(stack.AwaitEnd(waiting).state(), v1::Run::STATE_SUCCEEDED);
  run.ExpectAsUndisturbed(history);
}

TEST(TrainingServiceTest, ARunThatGoesOnAfterACrashCanBeCancelled) {
  TrainingStack stack;
  DurableRun run(stack);
  run.Hold(true);
  stack.Start();
  const std::string name = run.Create();

  const History history = HistoryOf(stack.Watch(name, 0, [&](const RunEvent& event) {
    if (event.epoch().epoch() == 3) {  // so the checkpoint of epoch 2 is whole
      KillWorkers();
    } else if (event.note().starts_with("resumed")) {
      EXPECT_TRUE(stack.Cancel(name).ok());
    }
  }));

  EXPECT_EQ(history.run.state(), v1::Run::STATE_CANCELLED);
  stack.Stop();
  run.Hold(false);
  stack.Start();  // cleans up what a cancelled run has left
  stack.Stop();
  EXPECT_TRUE(std::filesystem::is_empty(stack.options.folder));
}

TEST(TrainingServiceTest, ARunWhoseWorkerIsKilledAgainAndAgainFails) {
  TrainingStack stack;
  stack.data.before_examples = [&](schema::v1::Split /*split*/, grpc::ServerContext& /*context*/) {
    KillWorkers();
    return grpc::Status::OK;
  };
  stack.Start();

  const History history = HistoryOf(stack.Watch(stack.Create(SeedRequest())->name()));

  EXPECT_EQ(history.run.state(), v1::Run::STATE_FAILED);
  EXPECT_THAT(history.run.failure(), HasSubstr("was killed by signal 9"));
  EXPECT_THAT(history.run.failure(), HasSubstr("without a new epoch or checkpoint"));
}

TEST(TrainingServiceTest, ACancelledRunEndsWhileItTrains) {
  TrainingStack stack;
  stack.Start();
  const std::string name = stack.Create(SeedRequest("epochs: 100000"))->name();

  const std::vector<RunEvent> events = stack.Watch(name, 0, [&](const RunEvent& event) {
    if (event.has_epoch() && event.epoch().epoch() == 1) {
      EXPECT_EQ(stack.Cancel(name)->state(), v1::Run::STATE_CANCELLING);
    }
  });

  EXPECT_EQ(events.back().run().state(), v1::Run::STATE_CANCELLED);
  EXPECT_LT(events.back().run().epochs_done(), 100000);
  EXPECT_EQ(stack.serving.upload_count(), 0);
  EXPECT_THAT(stack.Cancel(name),
              Fails(absl::StatusCode::kFailedPrecondition, "already been cancelled"));
}

TEST(TrainingServiceTest, ACancelledRunEndsWhileItFetches) {
  TrainingStack stack;
  std::atomic<bool> held = false;
  stack.data.before_examples = [&](schema::v1::Split /*split*/, grpc::ServerContext& context) {
    held = true;
    held.notify_all();
    while (!context.IsCancelled()) {
      std::this_thread::yield();
    }
    return grpc::Status::CANCELLED;
  };
  stack.Start();
  const std::string name = stack.Create(SeedRequest())->name();
  held.wait(false);

  ASSERT_TRUE(stack.Cancel(name).ok());

  EXPECT_EQ(stack.AwaitEnd(name).state(), v1::Run::STATE_CANCELLED);
}

TEST(TrainingServiceTest, StoppingLeavesNoWorkerBehind) {
  TrainingStack stack;
  stack.Start();
  const std::string name = stack.Create(SeedRequest("epochs: 100000"))->name();
  stack.Watch(name, 0, [&](const RunEvent& event) {
    if (event.has_epoch() && event.epoch().epoch() == 1) {
      EXPECT_EQ(Children().size(), 1U);
      EXPECT_TRUE(stack.Cancel(name).ok());
    }
  });

  stack.Stop();

  EXPECT_TRUE(Children().empty());
}

TEST(TrainingServiceTest, RunsAreListedNewestFirstInPages) {
  TrainingStack stack;
  stack.Start();
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) {
    names.push_back(stack.Create(SeedRequest("epochs: 1"))->name());
  }
  v1::ListRunsRequest request;
  request.set_page_size(2);
  v1::ListRunsResponse page;
  grpc::ClientContext first;
  ASSERT_TRUE(stack.stub().ListRuns(&first, request, &page).ok());
  ASSERT_EQ(page.runs_size(), 2);
  EXPECT_EQ(page.runs(0).name(), names[2]);
  EXPECT_EQ(page.runs(1).name(), names[1]);

  request.set_page_token(page.next_page_token());
  grpc::ClientContext second;
  ASSERT_TRUE(stack.stub().ListRuns(&second, request, &page).ok());
  ASSERT_EQ(page.runs_size(), 1);
  EXPECT_EQ(page.runs(0).name(), names[0]);
  EXPECT_EQ(page.next_page_token(), "");
}

TEST(TrainingServiceTest, PageSizesAndTokensOutOfRangeAreRefused) {
  TrainingStack stack;
  stack.Start();
  const auto list = [&](std::int32_t size, const std::string& token) {
    v1::ListRunsRequest request;
    request.set_page_size(size);
    request.set_page_token(token);
    v1::ListRunsResponse page;
    grpc::ClientContext context;
    return FromGrpcStatus(stack.stub().ListRuns(&context, request, &page));
  };

  EXPECT_THAT(list(-1, ""), Fails(absl::StatusCode::kInvalidArgument, "page_size"));
  EXPECT_THAT(list(1001, ""), Fails(absl::StatusCode::kInvalidArgument, "found 1001"));
  EXPECT_THAT(list(10, "later"), Fails(absl::StatusCode::kInvalidArgument, "page_token"));
  EXPECT_TRUE(list(1000, "").ok());
}

TEST(TrainingServiceTest, UnknownAndMisspelledRunsAreToldApart) {
  TrainingStack stack;
  stack.Start();

  EXPECT_THAT(stack.Get("runs/r9"), Fails(absl::StatusCode::kNotFound, "there is no runs/r9"));
  EXPECT_THAT(stack.Cancel("runs/r9"), Fails(absl::StatusCode::kNotFound, "there is no runs/r9"));
  EXPECT_THAT(stack.Get("run/../r9"), Fails(absl::StatusCode::kInvalidArgument, "name"));
  EXPECT_THAT(stack.Cancel(""), Fails(absl::StatusCode::kInvalidArgument, "name"));
}

}  // namespace
}  // namespace millrace::training
