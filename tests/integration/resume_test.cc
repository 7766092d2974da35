// Uploads whose receiver is killed in the middle: they go on, and what they make is what it would
// have been.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ostream>
#include <sstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/import.h"
#include "clients/cli/shell.h"
#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/long_run.h"

namespace millrace::integration {
namespace {

using testing::HasSubstr;
using testing::Not;

// Text that calls `action` once, as soon as it has a phrase and is flushed.
class Trigger : public std::stringbuf {
 public:
  Trigger(std::string phrase, std::function<void()> action)
      : phrase_(std::move(phrase)),
        action_(std::move(action)) {}

 private:
  int sync() override {
    if (action_ && str().find(phrase_) != std::string::npos) {
      std::exchange(action_, nullptr)();
    }
    return 0;
  }

  std::string phrase_;
  std::function<void()> action_;
};

class ResumeTest : public LocalServicesTest {
 protected:
  static std::string UploadsOf(Service service) { return services().folder(service) + "/uploads"; }

  static int CountOf(Service service, std::string_view extension) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(UploadsOf(service))) {
      count += entry.path().extension() == extension ? 1 : 0;
    }
    return count;
  }

  static bool IsUploading(Service service) { return CountOf(service, ".upload") > 0; }

  // What the journal of the upload says beyond its beginning.
  static int AcknowledgedLines() {
    int lines = 0;
    for (const auto& entry : std::filesystem::directory_iterator(UploadsOf(Service::kData))) {
      if (entry.path().extension() == ".journal") {
        std::ifstream journal(entry.path());
        for (std::string line; std::getline(journal, line);) {
          ++lines;
        }
      }
    }
    return lines - 2;
  }

  static training::v1::Run::State StateOf(const training::v1::Run& run) {
    training::v1::GetRunRequest request;
    request.set_name(run.name());
    return Call(clients().training(), &TrainingStub::GetRun, request).value().state();
  }

  // Whether it has happened in time.
  static bool Await(const std::function<bool()>& happened) {
    const auto give_up = std::chrono::steady_clock::now() + kCallMax;
    while (std::chrono::steady_clock::now() < give_up) {
      if (happened()) {
        return true;
      }
      std::this_thread::yield();
    }
    return false;
  }
};

class ImportResumeTest : public ResumeTest {
 protected:
  ImportResumeTest() {
    std::ofstream file(path_, std::ios::binary);
    file << "a,b,label\n";
    for (int row = 0; file.tellp() < 24'000'000; ++row) {
      file << fmt::format("{},{}.{},{}\n", row, row % 977, row % 89, row % 7 < 3 ? "yes" : "no");
    }
  }

  void TearDown() override { std::filesystem::remove(path_); }

  // What the command line does, with what it says going to `told`.
  absl::StatusOr<data::v1::DatasetVersion> Import(const std::string& dataset,
                                                  std::streambuf& told) {
    std::ostringstream out;
    std::ostream err(&told);
    cli::Console console(out, err, /*live=*/false);
    cli::Connection connection(
        cli::Endpoints{.addresses = {.data = services().address(Service::kData)}},
        std::stop_token());
    cli::Shell shell{.console = console, .connection = connection};
    data::v1::ImportHeader header;
    header.set_dataset("datasets/" + dataset);
    header.mutable_options()->set_label("label");
    return cli::ImportFile(shell, path_, header);
  }

  const std::string path_ = services().folder(Service::kData) + ".large.csv";
};

TEST_F(ImportResumeTest, ADataServiceThatIsKilledUnderAnImportGetsOnlyTheRest) {
  std::stringbuf quiet;
  const auto unbroken = Import("unbroken", quiet);
  ASSERT_TRUE(unbroken.ok()) << unbroken.status();

  // At 21 chunks of 1 MiB, and when the first 8 are on the medium.
  Trigger told("  91 %", [] {
    EXPECT_TRUE(Await([] { return AcknowledgedLines() >= 1; }));
    Require(services().KillAndRestart(Service::kData));
  });
  const auto broken = Import("broken", told);
  Reconnect();

  ASSERT_TRUE(broken.ok()) << broken.status() << "\n" << told.str();
  EXPECT_EQ(broken->sha256(), unbroken->sha256());
  EXPECT_EQ(broken->name(), "datasets/broken/versions/1");
  EXPECT_THAT(told.str(), HasSubstr("the upload broke off: "));
  EXPECT_THAT(told.str(), HasSubstr("going on after "));
  EXPECT_THAT(told.str(), Not(HasSubstr("from its start")));
  EXPECT_FALSE(IsUploading(Service::kData));
}

TEST_F(ImportResumeTest, ADataServiceThatIsKilledUnderItsPipelineNeedsOnlyTheClose) {
  std::stringbuf quiet;
  const auto unbroken = Import("unbroken", quiet);
  ASSERT_TRUE(unbroken.ok()) << unbroken.status();

  // The whole is sent when this is told, and on the medium soon after; the pipeline takes longer.
  std::thread killer;
  Trigger told(" 100 %", [&] {
    killer = std::thread([] {
      EXPECT_TRUE(Await([] { return CountOf(Service::kData, ".part") > 0; }));
      Require(services().KillAndRestart(Service::kData));
    });
  });
  const auto broken = Import("piped", told);
  killer.join();
  Reconnect();

  ASSERT_TRUE(broken.ok()) << broken.status() << "\n" << told.str();
  EXPECT_EQ(broken->sha256(), unbroken->sha256());
  EXPECT_THAT(told.str(), HasSubstr("going on after 24 MB"));
  EXPECT_FALSE(IsUploading(Service::kData));
}

TEST_F(ResumeTest, AServingServiceThatIsKilledUnderAPublishGetsItsVersion) {
  Require(ImportLongData(clients()).status());
  training::v1::Run run;
  // On a busy machine an upload may be over before anybody has seen it.
  for (int i = 0; i < 20 && !IsUploading(Service::kServing); ++i) {
    auto request = LongRun(fmt::format("published{}", i));
    request.mutable_spec()->set_epochs(2);
    run = Call(clients().training(), &TrainingStub::CreateRun, request).value();
    ASSERT_TRUE(Await([&, looks = 0]() mutable {
      return IsUploading(Service::kServing) ||
             (++looks % 100 == 0 && StateOf(run) == training::v1::Run::STATE_SUCCEEDED);
    }));
  }
  Require(services().KillAndRestart(Service::kServing));
  Reconnect();

  const auto events = Watch(clients().training(), run.name()).value();
  const auto& ended = events.back().run();
  EXPECT_EQ(ended.state(), training::v1::Run::STATE_SUCCEEDED) << ended.failure();
  EXPECT_EQ(ended.model_version(), run.model() + "/versions/1");
  serving::v1::GetModelRequest version;
  version.set_name(ended.model_version());
  EXPECT_TRUE(Call(clients().serving(), &ServingStub::GetModel, version).ok());
  EXPECT_FALSE(IsUploading(Service::kServing));
}

// What is trained waits for serving without a worker, over a restart of the service that keeps it.
TEST_F(ResumeTest, ATrainedRunWaitsForAServingServiceThatIsAway) {
  Require(ImportLongData(clients()).status());
  auto request = LongRun("late");
  request.mutable_spec()->set_epochs(1);
  const std::string address = services().address(Service::kServing);
  Require(services().Kill(Service::kServing));
  const auto run = Call(clients().training(), &TrainingStub::CreateRun, request).value();
  const auto state = [&] { return StateOf(run); };
  ASSERT_TRUE(Await([&] { return state() == training::v1::Run::STATE_PUBLISHING; }));
  EXPECT_TRUE(Await([] { return services().Children(Service::kTraining).empty(); }));
  Require(services().KillAndRestart(Service::kTraining));
  Reconnect();
  EXPECT_EQ(state(), training::v1::Run::STATE_PUBLISHING);

  Require(services().StartAt(Service::kServing, address));
  Reconnect();

  const auto ended = Watch(clients().training(), run.name()).value().back().run();
  EXPECT_EQ(ended.state(), training::v1::Run::STATE_SUCCEEDED) << ended.failure();
  EXPECT_EQ(ended.model_version(), "models/late/versions/1");
}

// A machine comes up, and data is the last: the run waits with its checkpoint.
TEST_F(ResumeTest, ARunWaitsForADataServiceThatComesLate) {
  Require(ImportLongData(clients()).status());
  const auto run = StartRun(clients().training(), LongRun("patient")).value();
  const std::string address = services().address(Service::kData);
  Require(services().Kill(Service::kData));
  Require(services().KillAndRestart(Service::kTraining));
  Reconnect();
  const auto state = [&] { return StateOf(run); };
  ASSERT_TRUE(Await([&] { return state() == training::v1::Run::STATE_WAITING; }));

  Require(services().StartAt(Service::kData, address));

  EXPECT_TRUE(Await([&] { return state() == training::v1::Run::STATE_RUNNING; }));
  Reconnect();
  training::v1::CancelRunRequest cancel;
  cancel.set_name(run.name());
  Require(Call(clients().training(), &TrainingStub::CancelRun, cancel).status());
  EXPECT_EQ(Watch(clients().training(), run.name()).value().back().run().state(),
            training::v1::Run::STATE_CANCELLED);
}

}  // namespace
}  // namespace millrace::integration
