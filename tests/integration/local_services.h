// LocalServices: data, serving and training as processes of their own on this machine, and the
// fixture of every test that talks to them.

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gtest/gtest.h>

#include "clients/cli/process.h"
#include "tests/integration/clients.h"

namespace millrace::integration {

/// In the order in which they are started: training asks the other two.
enum class Service { kData, kServing, kTraining };

constexpr std::array kServices{Service::kData, Service::kServing, Service::kTraining};

/// What the services get beside their addresses and folders, as `--flag=value`.
struct ExtraWords {
  std::vector<std::string> data = {};
  std::vector<std::string> serving = {};
  std::vector<std::string> training = {};
};

/// How a service ended when it was asked to.
struct Ending {
  int exit_code = -1;
  std::chrono::milliseconds took{0};  // from the signal on
};

/// How a program ended that was run to its end.
struct ProgramEnd {
  int exit_code = -1;
  std::string output;  // and errors
};

/// A stack that keeps its state and its logs in a folder of its own, on free ports of the loopback.
/// What runs is stopped, and the folder removed, when this goes. Not thread-safe.
class LocalServices {
 public:
  explicit LocalServices(ExtraWords words = {});
  ~LocalServices();
  LocalServices(const LocalServices&) = delete;
  LocalServices& operator=(const LocalServices&) = delete;

  /// Starts all and waits until each answers its health question. UNAVAILABLE with the service's
  /// log when one does not come up.
  absl::Status Start();

  /// Starts one, after those that it asks.
  absl::Status Start(Service service);

  /// Starts one that was stopped or killed at the address that it had: who asks there finds it.
  absl::Status StartAt(Service service, const std::string& wanted);

  /// SIGKILL to one service, and a new start at the same address: who talks to it may go on.
  absl::Status KillAndRestart(Service service);

  /// SIGTERM to each, training first. Fails when one does not exit with 0 in time.
  absl::Status Stop();

  /// SIGTERM to one service, and how it ended. UNAVAILABLE when it goes on for 30 s.
  absl::StatusOr<Ending> Stop(Service service);

  /// SIGKILL to one service; returns when it is gone.
  absl::Status Kill(Service service);

  /// Asks one service to stop and does not wait. Requires: it runs.
  void AskToStop(Service service);

  /// Waits for the end of a service that was asked to stop.
  absl::StatusOr<Ending> WaitForEnd(Service service);

  /// Runs the service's program on its state, beside it or while it is stopped, for what it does
  /// other than serve: {"--verify"}.
  [[nodiscard]] absl::StatusOr<ProgramEnd> RunProgram(Service service,
                                                      const std::vector<std::string>& words) const;

  /// host:port where the service answers, or did when it ran last. Requires: it was started.
  [[nodiscard]] const std::string& address(Service service) const;

  /// The service's process. Requires: it runs.
  [[nodiscard]] int pid(Service service) const { return Slot(service)->process.pid(); }

  /// The processes that the service has started and that run: workers. Requires: it runs.
  [[nodiscard]] std::vector<cli::Process> Children(Service service) const;

  /// The most memory that the service has had in RAM at once, in bytes. Requires: it runs.
  [[nodiscard]] std::int64_t PeakMemoryBytes(Service service) const;

  /// The memory that the service has in RAM now, in bytes. Requires: it runs.
  [[nodiscard]] std::int64_t MemoryBytes(Service service) const;

  /// What the service has logged since it was first started.
  [[nodiscard]] std::string Log(Service service) const;

  /// Where the service keeps its state.
  [[nodiscard]] std::string folder(Service service) const { return PathOf(service, ""); }

  /// Stubs over new channels to all services.
  [[nodiscard]] std::unique_ptr<Clients> Connect() const;

 private:
  struct Running {
    cli::Process process;
  };

  [[nodiscard]] std::int64_t StatusBytes(Service service, std::string_view field) const;
  [[nodiscard]] std::vector<std::string> WordsFor(Service service,
                                                  const std::string& address) const;
  [[nodiscard]] std::string PathOf(Service service, std::string_view suffix) const;
  [[nodiscard]] absl::StatusOr<std::string> WaitUntilAnswers(Service service,
                                                             const cli::Process& process) const;
  [[nodiscard]] std::optional<Running>& Slot(Service service);
  [[nodiscard]] const std::optional<Running>& Slot(Service service) const;

  ExtraWords words_;
  std::string folder_;
  std::array<std::optional<Running>, kServices.size()> running_;
  std::array<std::string, kServices.size()> addresses_;
  std::array<std::chrono::steady_clock::time_point, kServices.size()> asked_;
};

/// One stack for all tests of a suite: it starts before the first and stops, with exit codes of 0,
/// after the last. Tests share its state, so each uses datasets and models of its own.
class LocalServicesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { StartServices({}); }

  static void TearDownTestSuite();

  /// For suites with words of their own: call it from their SetUpTestSuite().
  static void StartServices(ExtraWords words);

  static LocalServices& services() { return *stack; }

  static Clients& clients() { return *stubs; }

  /// After a service has been started again, on a port of its own.
  static void Reconnect() { stubs = stack->Connect(); }

 private:
  static std::unique_ptr<LocalServices> stack;
  static std::unique_ptr<Clients> stubs;
};

}  // namespace millrace::integration
