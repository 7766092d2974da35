// ScriptedWorker: a worker program that does what a test wrote down, as a shell script.

#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <fmt/core.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <gtest/gtest.h>

#include "millrace/training/v1/worker.pb.h"

#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::training {

/// A script in a folder of its own. Lines are added in the order of the calls. What it says goes
/// through files, since a shell cannot write a protobuf.
class ScriptedWorker {
 public:
  ScriptedWorker() : script_("#!/bin/sh\n") {}

  ScriptedWorker& Says(const v1::WorkerReport& report) {
    const std::string path = fmt::format("{}/report{}", folder_.path(), ++reports_);
    std::ofstream stream(path, std::ios::binary);
    google::protobuf::util::SerializeDelimitedToOstream(report, &stream);
    return Does(fmt::format("cat '{}'", path));
  }

  ScriptedWorker& SaysNote(const std::string& text) {
    v1::WorkerReport report;
    report.set_note(text);
    return Says(report);
  }

  ScriptedWorker& SaysEpoch(int epoch) {
    v1::WorkerReport report;
    report.mutable_epoch()->set_epoch(epoch);
    return Says(report);
  }

  ScriptedWorker& SaysCheckpoint(int step) {
    v1::WorkerReport report;
    report.mutable_checkpoint()->set_step(step);
    return Says(report);
  }

  ScriptedWorker& SaysFailure(const std::string& message) {
    v1::WorkerReport report;
    report.mutable_failure()->set_code(3);
    report.mutable_failure()->set_message(message);
    return Says(report);
  }

  ScriptedWorker& SaysResult() {
    v1::WorkerReport report;
    report.mutable_result()->set_best_epoch(2);
    report.mutable_result()->set_weights_sha256("ab");
    report.mutable_result()->add_evaluations()->set_loss(0.25);
    return Says(report);
  }

  /// A result that is not to be published by itself.
  ScriptedWorker& SaysResultKeptBack(const std::string& why) {
    v1::WorkerReport report;
    report.mutable_result()->set_weights_sha256("ab");
    report.mutable_result()->set_kept_back(why);
    return Says(report);
  }

  ScriptedWorker& SaysWaiting(const std::string& reason) {
    v1::WorkerReport report;
    report.set_waiting(reason);
    return Says(report);
  }

  ScriptedWorker& GivesWay(const std::string& reason) {
    v1::WorkerReport report;
    report.set_gave_way(reason);
    return Says(report).Does("exit 0");
  }

  /// Goes on once there is a file.
  ScriptedWorker& Awaits(const std::string& path) {
    return Does(fmt::format("while ! test -e '{}'; do sleep 0.01; done", path));
  }

  ScriptedWorker& Does(const std::string& line) {
    script_ += line;
    script_ += '\n';
    return *this;
  }

  /// What follows is for the start of this number alone, from 1; EndOfStart() closes it.
  ScriptedWorker& AtStart(int number) {
    if (number == 1) {
      Does("echo start >>'" + starts() + "'");
    }
    return Does(fmt::format("if test $(wc -l <'{}') -eq {}; then :", starts(), number));
  }

  ScriptedWorker& EndOfStart() { return Does("fi"); }

  /// Ends as by a bug, or by whoever takes memory back.
  ScriptedWorker& Crashes() { return Does("kill -KILL $$"); }

  /// Has a line for each start, once AtStart(1) was called.
  [[nodiscard]] std::string starts() const { return folder_.path() + "/starts"; }

  /// Goes on until a signal ends it.
  ScriptedWorker& GoesOn() { return Does("exec tail -f /dev/null"); }

  /// Does not hear SIGTERM.
  ScriptedWorker& IsDeaf() { return Does("trap '' TERM"); }

  /// Writes the script and returns its path.
  [[nodiscard]] std::string Program() const {
    std::string path = folder_.path() + "/worker";
    std::ofstream(path) << script_;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }

 private:
  storage::TemporaryFolder folder_;
  std::string script_;
  int reports_ = 0;
};

}  // namespace millrace::training
