#include "tests/load/cores.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include <fmt/core.h>

#include "common/status/check.h"

namespace millrace::serving {

namespace {

// User and system time of a process: fields 14 and 15 of its stat, counted behind the name, which
// may hold anything.
std::int64_t TicksOf(pid_t process) {
  std::ifstream stream(fmt::format("/proc/{}/stat", process));
  std::string line;
  CHECK(std::getline(stream, line));
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) {
    fields >> skipped;
  }
  std::int64_t user = 0;
  std::int64_t system = 0;
  CHECK(fields >> user >> system);
  return user + system;
}

}  // namespace

Cores::Ticks Cores::Read() const {
  Ticks ticks;
  std::ifstream stream("/proc/stat");
  std::string name;
  stream >> name;
  for (int column = 0; column < 8; ++column) {  // user nice system idle iowait irq softirq steal
    std::int64_t value = 0;
    CHECK(stream >> value);
    ticks.all += value;
    ticks.idle += column == 3 || column == 4 ? value : 0;
  }
  for (const pid_t process : ours_) {
    ticks.ours += TicksOf(process);
  }
  return ticks;
}

double Cores::OthersShare() const {
  const Ticks now = Read();
  const auto all = static_cast<double>(std::max<std::int64_t>(now.all - begin_.all, 1));
  const auto others = static_cast<double>((now.all - begin_.all) - (now.idle - begin_.idle) -
                                          (now.ours - begin_.ours));
  return std::clamp(others / all, 0.0, 1.0);
}

}  // namespace millrace::serving
