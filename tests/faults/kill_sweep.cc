#include "tests/faults/kill_sweep.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "common/status/status.h"
#include "tests/faults/traced_process.h"

namespace millrace::faults {

namespace {

// Every call by which a file, its name or its durability can change.
constexpr std::string_view kCalls =
    "write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,rename,renameat,"
    "renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,ftruncate,truncate,fallocate,link,linkat,"
    "symlink,symlinkat,openat,creat,copy_file_range,sendfile";

constexpr std::string_view kAcknowledged = "acknowledged";

ProcessEnd RunUnderStrace(const Flow& flow,
                          const std::string& folder,
                          const std::vector<std::string>& options) {
  // Not with --seccomp-bpf, which would be faster: strace 6.1 then never sends the signal.
  std::vector<std::string> words = {"strace", "-f", "-qq"};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {MILLRACE_FAULT_FLOW, flow.name, folder});
  return RunToEnd(words);
}

void CopyFolder(const std::string& from, const std::string& to) {
  std::filesystem::remove_all(to);
  if (std::filesystem::exists(from)) {
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }
}

// A line of strace -f -o: "1234  openat(AT_FDCWD, ...".
struct TracedCall {
  std::string thread;
  std::string name;
  std::string arguments;
};

TracedCall ParseCall(const std::string& line) {
  TracedCall call;
  const std::size_t end = line.find(' ');
  const std::size_t begin = line.find_first_not_of(' ', end);
  const std::size_t bracket = line.find('(', begin == std::string::npos ? 0 : begin);
  if (end == std::string::npos || begin == std::string::npos || bracket == std::string::npos) {
    return call;
  }
  call.thread = line.substr(0, end);
  call.name = line.substr(begin, bracket - begin);
  call.arguments = line.substr(bracket);
  return call;
}

std::string TextOf(const absl::StatusOr<std::string>& described) {
  return described.ok() ? *described : "an error: " + std::string(Message(described.status()));
}

}  // namespace

KillSweeper::KillSweeper(Flow flow, std::string folder)
    : flow_(std::move(flow)),
      folder_(std::move(folder)) {}

// Makes the old state and learns how old and new read.
std::string KillSweeper::Prepare() {
  storage::FileSystem& files = storage::PosixFileSystem();
  const std::string base = folder_ + "/base";
  const absl::Status prepared = flow_.prepare(files, base);
  if (!prepared.ok()) {
    return fmt::format("the old state cannot be made: {}", Message(prepared));
  }
  const std::string old_folder = folder_ + "/old";
  CopyFolder(base, old_folder);
  const auto old_text = flow_.describe(files, old_folder);
  if (!old_text.ok()) {
    return "the old state: " + TextOf(old_text);
  }
  old_text_ = *old_text;
  return {};
}

// Runs the flow undisturbed and makes a plan of its calls.
std::string KillSweeper::PlanInto(std::vector<KillPoint>& points) {
  const std::string folder = folder_ + "/new";
  const std::string trace = folder_ + "/trace";
  CopyFolder(folder_ + "/base", folder);
  const ProcessEnd end =
      RunUnderStrace(flow_, folder, {"-o", trace, "-e", fmt::format("trace={}", kCalls)});
  if (end.signal != 0 || end.exit_code != 0 || end.output != kAcknowledged) {
    return fmt::format("the undisturbed run failed: exit code {}, signal {}, output '{}'",
                       end.exit_code,
                       end.signal,
                       end.output);
  }
  const auto new_text = flow_.describe(storage::PosixFileSystem(), folder);
  if (!new_text.ok() || *new_text == old_text_) {
    return "the new state is not another: " + TextOf(new_text);
  }
  new_text_ = *new_text;
  std::set<std::string> threads;
  std::map<std::string, int> counts;
  std::ifstream lines(trace);
  for (std::string line; std::getline(lines, line);) {
    const TracedCall call = ParseCall(line);
    if (call.name.empty()) {
      continue;
    }
    const int ordinal = ++counts[call.name];
    if (call.name != "openat" || call.arguments.find("O_CREAT") != std::string::npos) {
      threads.insert(call.thread);
      points.push_back({.call = call.name, .ordinal = ordinal});
    }
  }
  if (threads.size() > 1) {
    return fmt::format(
        "{} threads change the disk: strace counts each on its own, and points would not fire",
        threads.size());
  }
  return points.empty() ? "nothing changes the disk" : "";
}

std::string KillSweeper::Check(const std::string& folder, bool acknowledged) const {
  storage::FileSystem& files = storage::PosixFileSystem();
  const auto found = flow_.describe(files, folder);
  if (!found.ok() || (*found != old_text_ && *found != new_text_)) {
    return fmt::format("neither the old state nor the new: {}", TextOf(found));
  }
  if (acknowledged && *found != new_text_) {
    return "what was acknowledged is lost";
  }
  const absl::Status again = flow_.perform(files, folder, [] {});
  if (!again.ok()) {
    return fmt::format("the operation cannot be repeated: {}", Message(again));
  }
  const auto after = flow_.describe(files, folder);
  return after.ok() ? "" : "after it was repeated: " + TextOf(after);
}

std::string KillSweeper::Try(const KillPoint& point, const std::string& name) {
  const std::string folder = fmt::format("{}/{}", folder_, name);
  CopyFolder(folder_ + "/base", folder);
  const ProcessEnd end =
      RunUnderStrace(flow_,
                     folder,
                     {"-o",
                      "/dev/null",
                      "-e",
                      fmt::format("trace={}", point.call),
                      "-e",
                      fmt::format("inject={}:signal=SIGKILL:when={}", point.call, point.ordinal)});
  std::string wrong;
  if (end.signal != SIGKILL) {
    wrong = fmt::format("the kill did not fire: exit code {}", end.exit_code);
  } else {
    wrong = Check(folder, end.output == kAcknowledged);
  }
  std::filesystem::remove_all(folder);
  return wrong.empty() ? "" : fmt::format("{} number {}: {}", point.call, point.ordinal, wrong);
}

KillSweep KillSweeper::Run() {
  KillSweep sweep;
  std::vector<KillPoint> points;
  std::string wrong = Prepare();
  if (wrong.empty()) {
    wrong = PlanInto(points);
  }
  if (!wrong.empty()) {
    sweep.failures.push_back(wrong);
    return sweep;
  }
  sweep.points = static_cast<int>(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::string failure = Try(points[i], fmt::format("point_{}", i));
    if (!failure.empty()) {
      sweep.failures.push_back(failure);
    }
  }
  return sweep;
}

}  // namespace millrace::faults
