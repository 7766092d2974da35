#include "tests/faults/traced_process.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/status/check.h"

namespace millrace::faults {

namespace {

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment() {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  environment.emplace_back("ASAN_OPTIONS=detect_leaks=0");
  return environment;
}

std::string ReadToEnd(int descriptor) {
  std::string output;
  std::array<char, 4'096> buffer{};
  while (true) {
    const auto count = read(descriptor, buffer.data(), buffer.size());
    if (count > 0) {
      output.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      return output;
    }
  }
}

}  // namespace

ProcessEnd RunToEnd(const std::vector<std::string>& words) {
  std::array<int, 2> pipe{};
  CHECK(pipe2(pipe.data(), O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions{};
  CHECK(posix_spawn_file_actions_init(&actions) == 0);
  CHECK(posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO) == 0);
  std::vector<std::string> arguments = words;
  std::vector<std::string> environment = Environment();
  pid_t child = 0;
  const int failed = posix_spawnp(&child,
                                  arguments[0].c_str(),
                                  &actions,
                                  nullptr,
                                  Pointers(arguments).data(),
                                  Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  close(pipe[1]);
  ProcessEnd end;
  if (failed != 0) {
    close(pipe[0]);
    end.exit_code = 127;
    return end;
  }
  end.output = ReadToEnd(pipe[0]);
  close(pipe[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  return end;
}

}  // namespace millrace::faults
