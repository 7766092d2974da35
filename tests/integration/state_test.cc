// What the programs do with a state beside serving it: verify, back up, restore, refuse.

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/raw_table.h"

namespace millrace::integration {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

/// Imports datasets and deletes them again, as long as it lives.
class Work {
 public:
  explicit Work(Clients& clients)
      : thread_([this, &clients](const std::stop_token& stop) {
          const std::string iris = ReadFile("tests/data/iris.csv");
          data::v1::DeleteDatasetRequest remove;
          remove.set_name("datasets/work");
          remove.set_force(true);
          while (!stop.stop_requested()) {
            const auto imported =
                Import(clients.data(), HeaderOf("work", "iris.csv", "species"), iris);
            const auto removed = Call(clients.data(), &DataStub::DeleteDataset, remove);
            done_ += imported.ok() && removed.ok() ? 1 : 0;
          }
        }) {}

  /// How often both succeeded.
  [[nodiscard]] int done() const { return done_; }

 private:
  std::atomic<int> done_ = 0;
  std::jthread thread_;
};

class StateTest : public testing::Test {
 protected:
  StateTest() { Start(); }

  void Start() {
    Require(services_.Start());
    clients_ = services_.Connect();
  }

  void Stop() {
    clients_.reset();
    Require(services_.Stop());
  }

  ProgramEnd Run(Service service, const std::vector<std::string>& words) {
    return services_.RunProgram(service, words).value();
  }

  void ExpectDone(Service service,
                  const std::vector<std::string>& words,
                  const std::string& phrase) {
    const ProgramEnd end = Run(service, words);
    EXPECT_EQ(end.exit_code, 0) << end.output;
    EXPECT_THAT(end.output, HasSubstr(phrase));
  }

  void ExpectRefused(Service service,
                     const std::vector<std::string>& words,
                     const std::string& phrase) {
    const ProgramEnd end = Run(service, words);
    EXPECT_EQ(end.exit_code, 1) << end.output;
    EXPECT_THAT(end.output, AllOf(HasSubstr(phrase), HasSubstr("  fix: ")));
  }

  // Beside the states, so that it goes with them.
  [[nodiscard]] std::string Copy(Service service) const {
    return services_.folder(service) + ".backup";
  }

  LocalServices services_;
  std::unique_ptr<Clients> clients_;
};

TEST_F(StateTest, ARestoredBackupGivesTheSameAnswersBitForBit) {
  const auto pipeline = ReadExample("breast_cancer.yaml").value();
  const Trained trained = Apply(*clients_, pipeline).value();
  const auto request = RequestOf(trained.run.model(), ParseTable(FileOf(pipeline)));
  const auto inventory = Inventory(*clients_).value();
  const auto answers = PredictBits(clients_->serving(), request).value();
  Stop();
  for (const Service service : kServices) {
    ExpectDone(service, {"--backup", Copy(service)}, "and verified it");
    ExpectRefused(service, {"--restore", Copy(service)}, "is not empty");
    fs::remove_all(services_.folder(service));
    ExpectDone(service, {"--restore", Copy(service)}, "and verified it");
    ExpectDone(service, {"--verify"}, "0 damaged");
  }

  Start();

  EXPECT_EQ(Inventory(*clients_).value(), inventory);
  EXPECT_EQ(PredictBits(clients_->serving(), request).value(), answers);
  data::v1::GetDatasetRequest get;
  get.set_name(trained.version.name());
  EXPECT_EQ(BytesOf(Call(clients_->data(), &DataStub::GetDataset, get).value()),
            BytesOf(trained.version));
  // And what is made now continues the numbers.
  auto other = pipeline;
  other.mutable_training()->set_seed(99);
  EXPECT_EQ(Apply(*clients_, other).value().run.model_version(),
            trained.run.model() + "/versions/2");
}

TEST_F(StateTest, ABackupOfServicesAtWorkIsAStateOfOneMoment) {
  const auto pipeline = ReadExample("breast_cancer.yaml").value();
  const Trained trained = Apply(*clients_, pipeline).value();
  const auto request = RequestOf(trained.run.model(), ParseTable(FileOf(pipeline)));
  const auto answers = PredictBits(clients_->serving(), request).value();
  {
    const Work work(*clients_);
    for (int round = 0; round < 3; ++round) {
      for (const Service service : {Service::kTraining, Service::kServing, Service::kData}) {
        fs::remove_all(Copy(service));
        ExpectDone(service, {"--backup", Copy(service)}, "and verified it");
        ExpectDone(service, {"--verify"}, "0 damaged");
      }
    }
    EXPECT_GT(work.done(), 0);
  }
  Stop();
  for (const Service service : kServices) {
    EXPECT_FALSE(fs::exists(services_.folder(service) + "/snapshot"));
    fs::remove_all(services_.folder(service));
    ExpectDone(service, {"--restore", Copy(service)}, "and verified it");
  }
  Start();

  EXPECT_EQ(PredictBits(clients_->serving(), request).value(), answers);
  EXPECT_EQ(Watch(clients_->training(), trained.run.name()).value().back().run().state(),
            training::v1::Run::STATE_SUCCEEDED);
}

TEST_F(StateTest, AStateInUseIsNotRestoredInto) {
  for (const Service service : kServices) {
    ExpectDone(service, {"--backup", Copy(service)}, "and verified it");
    ExpectRefused(service, {"--restore", Copy(service)}, "is not empty");
  }
}

TEST_F(StateTest, ANewerStateIsRefusedByEveryServiceAndEveryCommand) {
  Stop();
  for (const Service service : kServices) {
    const std::string path = services_.folder(service) + "/format";
    std::string product;
    std::string name;
    std::ifstream(path) >> product >> name;
    std::ofstream(path) << product << ' ' << name << " 999\n";
    for (const std::vector<std::string>& words : {std::vector<std::string>{"--address=127.0.0.1:0"},
                                                  {"--verify"},
                                                  {"--backup", Copy(service)}}) {
      ExpectRefused(service, words, "was written by a newer Millrace (format 999; this program");
    }
  }
}

TEST_F(StateTest, DamageIsNamedAndIsNotBackedUp) {
  Require(Import(clients_->data(),
                 HeaderOf("damaged", "iris.csv", "species"),
                 ReadFile("tests/data/iris.csv"))
              .status());
  Stop();
  const std::string blobs = services_.folder(Service::kData) + "/blobs";
  const fs::path blob = fs::directory_iterator(blobs)->path();
  std::ofstream(blob) << "rust";

  const std::string named = blob.filename().string() +
                            ": no blob's header; needed by "
                            "datasets/damaged/versions/1";
  ExpectRefused(Service::kData, {"--verify"}, named);
  ExpectRefused(Service::kData, {"--backup", Copy(Service::kData)}, named);
}

}  // namespace
}  // namespace millrace::integration
