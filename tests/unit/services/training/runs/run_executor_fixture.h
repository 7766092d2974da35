// RunExecutorTest: an executor over a store on the disk, with a worker that does as a test says.

#pragma once

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>
#include <sys/wait.h>

#include "services/training/runs/run_executor.h"
#include "services/training/runs/run_state.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fixed_clock.h"
#include "tests/unit/services/training/runs/scripted_worker.h"
#include "tests/unit/services/training/runs/waiter.h"
#include "tests/unit/services/training/whole_file.h"

namespace millrace::training {

/// Lines of a file.
inline int LinesOf(const std::string& path) {
  const std::string text = ReadAll(path);
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

/// May change `options_` and `worker_` before Start(); after it no child is left.
class RunExecutorTest : public testing::Test {
 public:
  ~RunExecutorTest() override {
    executor_.reset();
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }

 protected:
  RunExecutorTest() : store_(RunStore::Open(folder_.path() + "/runs.db", clock_).value()) {
    options_.folder = folder_.path() + "/runs";
    options_.worker.grace = std::chrono::minutes(10);
    options_.store_waits = {.first = std::chrono::milliseconds(1),
                            .longest = std::chrono::milliseconds(4)};
    options_.publisher.send = [this](const TrainedRun& /*trained*/,
                                     const std::stop_token& /*stop*/) { return published_; };
  }

  void Start() { Start(worker_.Program()); }

  void Start(const std::string& program) {
    options_.worker.program = program;
    auto executor = RunExecutor::Start(*store_, options_);
    ASSERT_TRUE(executor.ok()) << executor.status();
    executor_ = *std::move(executor);
  }

  std::string Create(const std::string& request_id = "") {
    v1::Run run;
    run.set_dataset_version("datasets/points/versions/1");
    run.set_model("models/points");
    const auto created = executor_->Create(run, request_id);
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->name() : "";
  }

  void Await(const std::string& name, const std::function<bool()>& condition) {
    const auto waiter = std::make_shared<Waiter>();
    store_->Listen(name, waiter);
    waiter->Until(condition);
  }

  v1::Run AwaitEnd(const std::string& name) {
    Await(name, [&] { return IsAtRest(store_->Get(name)->state()); });
    return *store_->Get(name);
  }

  void AwaitMetric(const std::string& line) {
    while (Metrics().find(line) == std::string::npos) {
      std::this_thread::yield();
    }
  }

  std::vector<v1::Run::State> StatesOf(const std::string& name) {
    std::vector<v1::Run::State> states;
    for (const v1::RunEvent& event : EventsOf(name)) {
      if (event.has_run()) {
        states.push_back(event.run().state());
      }
    }
    return states;
  }

  std::string Metrics() {
    return prometheus::TextSerializer().Serialize(options_.metrics->Collect());
  }

  std::vector<v1::RunEvent> EventsOf(const std::string& name) {
    return store_->Events(name, 0, 100).value();
  }

  std::vector<std::string> NotesOf(const std::string& name) {
    std::vector<std::string> notes;
    for (const v1::RunEvent& event : EventsOf(name)) {
      if (event.has_note()) {
        notes.push_back(event.note());
      }
    }
    return notes;
  }

  void AwaitNote(const std::string& name) {
    Await(name, [&] {
      const std::vector<v1::RunEvent> events = EventsOf(name);
      return std::any_of(
          events.begin(), events.end(), [](const v1::RunEvent& event) { return event.has_note(); });
    });
  }

  FixedClock clock_;
  storage::TemporaryFolder folder_;
  absl::StatusOr<std::string> published_ = "models/points/versions/4";  // set before Start()
  ScriptedWorker worker_;
  ExecutorOptions options_;
  std::unique_ptr<RunStore> store_;
  std::unique_ptr<RunExecutor> executor_;
};

}  // namespace millrace::training
