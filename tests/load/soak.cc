// The whole way again and again: import, read, train, publish, predict, delete. Every round gives
// the answers of the first, and the services keep neither memory nor descriptors nor files.
//
//   soak [SECONDS]    900 by default; exit status 1 when something grew, or an answer changed

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/raw_table.h"

namespace millrace::integration {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// What a service holds after a round.
struct Held {
  std::int64_t memory_bytes = 0;  // in RAM
  std::int64_t descriptors = 0;
  std::int64_t files = 0;  // of its state
};

// By how much the last quarter's median may lie over the second's. The first is warming up.
constexpr Held kGrowthMax{.memory_bytes = std::int64_t{8} << 20U, .descriptors = 4, .files = 4};

std::int64_t EntriesOf(const std::string& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

Held HeldBy(const LocalServices& services, Service service) {
  const std::string process = fmt::format("/proc/{}", services.pid(service));
  std::int64_t pages = 0;
  std::ifstream statm(process + "/statm");
  statm >> pages >> pages;  // the second is what is in RAM
  constexpr std::int64_t kPageBytes = 4096;
  return {.memory_bytes = pages * kPageBytes,
          .descriptors = EntriesOf(process + "/fd"),
          .files = std::distance(fs::recursive_directory_iterator(services.folder(service)),
                                 fs::recursive_directory_iterator())};
}

// What must come out the same in every round.
struct Answers {
  std::vector<std::vector<float>> examples;
  std::string weights;                   // SHA-256
  std::vector<std::string> predictions;  // as bytes
  std::vector<float> inferences;

  bool operator==(const Answers&) const = default;
};

class Soak {
 public:
  absl::Status Start() {
    RETURN_IF_ERROR(services_.Start());
    clients_ = services_.Connect();
    ASSIGN_OR_RETURN(pipeline_, ReadExample("iris.yaml"));
    pipeline_.mutable_training()->set_epochs(10);
    rows_ = ParseTable(FileOf(pipeline_));
    return absl::OkStatus();
  }

  // One round. ABORTED when an answer is not that of the first.
  absl::Status Round() {
    ASSIGN_OR_RETURN(const Trained trained, Apply(*clients_, pipeline_));
    Answers answers;
    ASSIGN_OR_RETURN(
        SplitExamples examples,
        ReadSplit(clients_->data(), SplitRequest(trained.version.name(), schema::v1::SPLIT_TRAIN)));
    answers.examples = std::move(examples.x);
    answers.weights = trained.run.weights_sha256();
    ASSIGN_OR_RETURN(answers.predictions,
                     PredictBits(clients_->serving(), RequestOf(trained.run.model(), rows_)));
    ASSIGN_OR_RETURN(answers.inferences,
                     InferRaw(clients_->inference(), pipeline_.model(), answers.examples));
    RETURN_IF_ERROR(Delete(trained));
    if (first_.weights.empty()) {
      first_ = std::move(answers);
    } else if (answers != first_) {
      return absl::AbortedError("an answer changed");
    }
    for (const Service service : kServices) {
      held_[static_cast<std::size_t>(service)].push_back(HeldBy(services_, service));
    }
    return absl::OkStatus();
  }

  [[nodiscard]] std::size_t rounds() const { return held_.front().size(); }

  // Prints what each service holds now.
  void Print() const {
    fmt::print("{} rounds", rounds());
    for (const auto& held : held_) {
      fmt::print("   {:.1f} MiB, {} descriptors, {} files",
                 static_cast<double>(held.back().memory_bytes) / (1 << 20),
                 held.back().descriptors,
                 held.back().files);
    }
    fmt::print("\n");
    std::fflush(stdout);
  }

  // Prints what grew; whether nothing did.
  [[nodiscard]] bool IsBounded() const {
    constexpr std::array kNames = {"data", "serving", "training"};
    bool bounded = true;
    for (std::size_t service = 0; service < held_.size(); ++service) {
      const auto check = [&](const char* what, std::int64_t Held::*figure) {
        const std::int64_t before = Median(held_[service], 1, figure);
        const std::int64_t after = Median(held_[service], 3, figure);
        if (after - before > kGrowthMax.*figure) {
          fmt::print("{}: {} grew from {} to {}, at most {} more were expected\n",
                     kNames[service],
                     what,
                     before,
                     after,
                     kGrowthMax.*figure);
          bounded = false;
        }
      };
      check("bytes in RAM", &Held::memory_bytes);
      check("descriptors", &Held::descriptors);
      check("files of its state", &Held::files);
    }
    return bounded;
  }

  absl::Status Stop() { return services_.Stop(); }

 private:
  // Of a quarter of the rounds, counted from 0.
  static std::int64_t Median(const std::vector<Held>& held,
                             std::size_t quarter,
                             std::int64_t Held::*figure) {
    std::vector<std::int64_t> figures;
    for (std::size_t i = quarter * held.size() / 4; i < (quarter + 1) * held.size() / 4; ++i) {
      figures.push_back(held[i].*figure);
    }
    if (figures.empty()) {
      return 0;
    }
    const auto middle = figures.begin() + static_cast<std::ptrdiff_t>(figures.size() / 2);
    std::nth_element(figures.begin(), middle, figures.end());
    return *middle;
  }

  // The dataset, and the version before this one: what gets the traffic cannot go.
  absl::Status Delete(const Trained& trained) {
    data::v1::DeleteDatasetVersionRequest dataset;
    dataset.set_name(trained.version.name());
    RETURN_IF_ERROR(Call(clients_->data(), &DataStub::DeleteDatasetVersion, dataset).status());
    if (!served_.empty()) {
      serving::v1::DeleteModelVersionRequest model;
      model.set_name(served_);
      RETURN_IF_ERROR(Call(clients_->serving(), &ServingStub::DeleteModelVersion, model).status());
    }
    served_ = trained.run.model_version();
    return absl::OkStatus();
  }

  LocalServices services_;
  std::unique_ptr<Clients> clients_;
  pipeline::v1::PipelineSpec pipeline_;
  RawTable rows_;
  Answers first_;
  std::string served_;  // the version that gets the traffic
  std::array<std::vector<Held>, kServices.size()> held_;
};

int Run(std::chrono::seconds duration) {
  Soak soak;
  absl::Status status = soak.Start();
  const Clock::time_point start = Clock::now();
  Clock::time_point print_at = start;
  while (status.ok() && Clock::now() - start < duration) {
    status = soak.Round();
    if (status.ok() && Clock::now() >= print_at) {
      soak.Print();
      print_at += std::chrono::minutes(1);
    }
  }
  if (!status.ok()) {
    fmt::print("round {}: {}\n", soak.rounds() + 1, status.ToString());
    return 1;
  }
  soak.Print();
  const bool bounded = soak.IsBounded();
  const absl::Status stopped = soak.Stop();
  if (!stopped.ok()) {
    fmt::print("{}\n", stopped.ToString());
  }
  return bounded && stopped.ok() ? 0 : 1;
}

}  // namespace
}  // namespace millrace::integration

int main(int argc, char** argv) {
  constexpr int kSeconds = 900;
  return millrace::integration::Run(
      std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : kSeconds));  // NOLINT(cert-err34-c)
}
