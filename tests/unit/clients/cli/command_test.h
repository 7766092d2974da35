// CommandTest: the command, run in this process against three fake services.

#pragma once

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "clients/cli/command_line.h"
#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/failure.h"
#include "clients/cli/shell.h"
#include "common/rpc/server.h"
#include "common/status/status.h"
#include "tests/unit/clients/cli/fake_services.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::cli {

/// What a command left behind.
struct CommandResult {
  Exit exit = Exit::kDone;
  std::string out;
  std::string err;

  /// Standard output as JSON. Fails the test when it is none.
  [[nodiscard]] nlohmann::json Json() const {
    nlohmann::json json = nlohmann::json::parse(out, nullptr, /*allow_exceptions=*/false);
    EXPECT_FALSE(json.is_discarded()) << out;
    return json;
  }
};

inline void PrintTo(const CommandResult& result, std::ostream* stream) {
  *stream << "exit " << static_cast<int>(result.exit) << "\n--- out\n"
          << result.out << "--- err\n"
          << result.err;
}

/// Matches a CommandResult with this exit code whose lines on standard error have `phrase` and a
/// fix.
MATCHER_P2(FailsWith, exit, phrase, "") {
  return arg.exit == exit && arg.err.find(phrase) != std::string::npos &&
         arg.err.find("\nfix: ") != std::string::npos && arg.out.empty();
}

class CommandTest : public testing::Test {
 protected:
  CommandTest() {
    // No context of whoever runs the tests.
    setenv("XDG_CONFIG_HOME", (folder_.path() + "/config").c_str(), 1);
    setenv("XDG_STATE_HOME", (folder_.path() + "/state").c_str(), 1);
    addresses_ = {.data = Start(data_server_, data_, data_status_),
                  .training = Start(training_server_, training_, training_status_),
                  .serving = Start(serving_server_, serving_, serving_status_)};
  }

  void TearDown() override {
    StopServer(data_server_);
    StopServer(training_server_);
    StopServer(serving_server_);
  }

  /// Runs `millrace WORDS...` with the fake services' addresses.
  CommandResult Command(std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"--data-address=" + addresses_.data,
                  "--training-address=" + addresses_.training,
                  "--serving-address=" + addresses_.serving});
    std::ostringstream out;
    std::ostringstream err;
    std::istringstream in(answer_);
    Console console(out, err, live_, answer_.empty() ? nullptr : &in, piped_);
    const Exit exit = Perform(words, console, stop_.get_token());
    return {.exit = exit, .out = out.str(), .err = err.str()};
  }

  /// Writes a file of the test's own folder; returns its path.
  std::string File(const std::string& name, const std::string& text) {
    std::string path = fmt::format("{}/{}", folder_.path(), name);
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  static void StopServer(std::unique_ptr<rpc::Server>& server) {
    if (server != nullptr) {
      server->Stop(std::chrono::milliseconds(0));
      server.reset();
    }
  }

  FakeDataService data_;
  FakeTrainingService training_;
  FakeServingService serving_;
  FakeStatusService data_status_;
  FakeStatusService training_status_;
  FakeStatusService serving_status_;
  std::unique_ptr<rpc::Server> data_server_;
  std::unique_ptr<rpc::Server> training_server_;
  std::unique_ptr<rpc::Server> serving_server_;
  Addresses addresses_;
  std::stop_source stop_;    // what Ctrl-C asks
  std::string answer_ = {};  // what a person types; empty: nobody is there
  bool live_ = false;        // whether standard error is a terminal
  bool piped_ = false;       // whether another program reads standard output
  storage::TemporaryFolder folder_;

 private:
  static std::string Start(std::unique_ptr<rpc::Server>& server,
                           grpc::Service& service,
                           FakeStatusService& status) {
    server = *rpc::Server::Start({.address = "127.0.0.1:0"}, {&service, &status});
    return fmt::format("127.0.0.1:{}", server->port());
  }
};

/// A Shell whose streams are strings, for what is smaller than a command.
class ShellTest : public CommandTest {
 protected:
  std::ostringstream out_;
  std::ostringstream err_;
  Console console_{out_, err_, /*live=*/false};
  Connection connection_{Endpoints{.addresses = addresses_}, stop_.get_token()};
  Shell shell_{.console = console_, .connection = connection_};
};

}  // namespace millrace::cli
