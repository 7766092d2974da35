// What the services write down about calls: enough to follow one through all of them, and never
// what anybody's data says.

#include <limits>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/rpc/request_id.h"
#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"

namespace millrace::integration {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kRequestId = "follow-me-through";

// Stands in cells, and nowhere else.
constexpr const char* kText = "ward-9-north";
constexpr double kNumber = 73519.25;
constexpr const char* kNumberText = "73519";

// Everything is written down, then stopped, so that the logs are whole.
class LogsTest : public testing::Test {
 protected:
  static ExtraWords Debug() {
    const std::vector<std::string> words{"--log-level=debug"};
    return {.data = words, .serving = words, .training = words};
  }

  void Import() {
    std::string file = "ward,value,outcome\n";
    for (int row = 0; row < 40; ++row) {
      file += fmt::format("{},{},{}\n",
                          row % 2 == 0 ? kText : "other",
                          row % 5 == 0 ? kNumber : row % 3,
                          row % 4 < 2 ? "well" : "ill");
    }
    auto header = HeaderOf("people", "people.csv", "outcome");
    ASSERT_TRUE(integration::Import(clients_->data(), header, file).ok());
    // An error that the client sees with the cell.
    file += fmt::format("{},{}\n", kText, kNumber);
    ASSERT_FALSE(integration::Import(clients_->data(), header, file).ok());
  }

  void Train() {
    model::v1::TrainingSpec spec;
    spec.set_epochs(1);
    spec.mutable_network()->add_layers()->mutable_dense()->set_units(1);
    auto request = RunRequest("datasets/people/versions/1", "people", spec);
    request.set_request_id(kRequestId);
    grpc::ClientContext context;
    rpc::SetDeadline(context, kCallMax);
    rpc::SetRequestId(context, kRequestId);
    training::v1::Run run;
    ASSERT_TRUE(clients_->training().CreateRun(&context, request, &run).ok());
    const auto events = Watch(clients_->training(), run.name());
    ASSERT_TRUE(events.ok()) << events.status();
    ASSERT_EQ(events->back().run().state(), training::v1::Run::STATE_SUCCEEDED)
        << events->back().run().failure();
  }

  absl::Status Predict(std::string_view ward, double value) {
    serving::v1::PredictRequest request;
    request.set_model("models/people");
    request.add_columns("ward");
    request.add_columns("value");
    schema::v1::Row& row = *request.add_rows();
    row.add_values()->set_text(std::string(ward));
    row.add_values()->set_number(value);
    return Call(clients_->serving(), &ServingStub::Predict, request).status();
  }

  LocalServices services_{Debug()};
  std::unique_ptr<Clients> clients_;
};

TEST_F(LogsTest, ARequestCanBeFollowedAndNoValueIsTold) {
  ASSERT_TRUE(services_.Start().ok());
  clients_ = services_.Connect();
  Import();
  Train();
  EXPECT_TRUE(Predict(kText, kNumber).ok());
  EXPECT_FALSE(Predict(kText, std::numeric_limits<double>::infinity()).ok());
  ASSERT_TRUE(services_.Stop().ok());

  for (const Service service : kServices) {
    SCOPED_TRACE(services_.folder(service));
    std::set<std::string> request_ids;
    std::istringstream log(services_.Log(service));
    for (std::string line; std::getline(log, line);) {
      const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
      ASSERT_TRUE(json.is_object()) << line;
      request_ids.insert(json.value("request_id", ""));
      EXPECT_THAT(line, Not(HasSubstr(kText)));
      EXPECT_THAT(line, Not(HasSubstr(kNumberText)));
    }
    EXPECT_THAT(request_ids, Contains(kRequestId));
  }
}

}  // namespace
}  // namespace millrace::integration
