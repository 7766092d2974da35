#include "common/telemetry/log.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include "common/clock/clock.h"
#include "common/telemetry/line.h"
#include "common/telemetry/rate_limit.h"

namespace millrace::log {

namespace {

constexpr int kLibraryLinesPerSecond = 10;

struct Log {
  Log() : logger("millrace", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger.set_pattern("%v");
  }

  spdlog::logger logger;
  std::atomic<bool> terminal = false;
  RateLimit library_limit{kLibraryLinesPerSecond};
  std::mutex mutex;
  std::string service;  // guarded by mutex
};

// Never destroyed: threads of libraries may log while the process ends.
Log& TheLog() {
  static Log* const log = new Log();
  return *log;
}

struct Level {
  std::string_view name;
  spdlog::level::level_enum number;
};

constexpr Level kDebug{"debug", spdlog::level::debug};
constexpr Level kInfo{"info", spdlog::level::info};
constexpr Level kWarning{"warning", spdlog::level::warn};
constexpr Level kError{"error", spdlog::level::err};

Level LevelOf(std::string_view name) {
  for (const Level& level : {kDebug, kWarning, kError}) {
    if (level.name == name) {
      return level;
    }
  }
  return kInfo;
}

void Write(const Level& level, std::string_view event, std::span<const Field> fields) {
  Log& log = TheLog();
  if (!log.logger.should_log(level.number)) {
    return;
  }
  std::string service;
  {
    const std::lock_guard lock(log.mutex);
    service = log.service;
  }
  const Line line{.time = SystemClock().Now(),
                  .level = level.name,
                  .service = service,
                  .event = event,
                  .fields = fields};
  log.logger.log(level.number,
                 spdlog::string_view_t(log.terminal ? TerminalLine(line) : JsonLine(line)));
}

// What a library says is its own text: it goes where our events go, but not as often as it likes.
void WriteLibrary(const Level& level, std::string_view library, const char* message) {
  const RateLimit::Answer answer = TheLog().library_limit.Ask(std::chrono::steady_clock::now());
  if (!answer.admitted) {
    return;
  }
  const Field fields[] = {{"library", std::string(library)},
                          {"message", message},
                          {"dropped", std::to_string(answer.dropped)}};
  Write(level, "library_message", std::span(fields).first(answer.dropped == 0 ? 2 : 3));
}

void WriteGrpc(gpr_log_func_args* arguments) {
  const gpr_log_severity severity = arguments->severity;
  WriteLibrary(severity == GPR_LOG_SEVERITY_ERROR  ? kError
               : severity == GPR_LOG_SEVERITY_INFO ? kInfo
                                                   : kDebug,
               "grpc",
               arguments->message);
}

void WriteProtobuf(google::protobuf::LogLevel severity,
                   const char* /*file*/,
                   int /*line*/,
                   const std::string& message) {
  WriteLibrary(severity == google::protobuf::LOGLEVEL_INFO      ? kInfo
               : severity == google::protobuf::LOGLEVEL_WARNING ? kWarning
                                                                : kError,
               "protobuf",
               message.c_str());
}

}  // namespace

void Start(std::string_view service, std::string_view level) {
  Log& log = TheLog();
  {
    const std::lock_guard lock(log.mutex);
    log.service = service;
  }
  log.terminal = isatty(fileno(stderr)) == 1;
  log.logger.set_level(LevelOf(level).number);
  gpr_set_log_function(WriteGrpc);
  gpr_log_verbosity_init();  // errors only, unless GRPC_VERBOSITY says more
  google::protobuf::SetLogHandler(WriteProtobuf);
}

bool DebugIsOn() {
  return TheLog().logger.should_log(spdlog::level::debug);
}

void Debug(std::string_view event, std::initializer_list<Field> fields) {
  Write(kDebug, event, {fields.begin(), fields.size()});
}

void Info(std::string_view event, std::initializer_list<Field> fields) {
  Write(kInfo, event, {fields.begin(), fields.size()});
}

void Warning(std::string_view event, std::initializer_list<Field> fields) {
  Write(kWarning, event, {fields.begin(), fields.size()});
}

void Error(std::string_view event, std::initializer_list<Field> fields) {
  Write(kError, event, {fields.begin(), fields.size()});
}

}  // namespace millrace::log
