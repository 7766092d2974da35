#include "clients/cli/stack_list.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "clients/cli/local_stack.h"
#include "clients/cli/private_file.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

std::string ListPath() {
  return DefaultStateFolder() + "/stacks";
}

std::vector<std::string> Written() {
  std::istringstream text(ReadSmallFile(ListPath()).value_or(""));
  std::vector<std::string> folders;
  for (std::string line; std::getline(text, line);) {
    folders.push_back(line);
  }
  return folders;
}

}  // namespace

absl::Status RememberStack(const std::string& folder) {
  std::vector<std::string> folders = RunningStacks();  // what ended long ago is forgotten
  if (folder.find('\n') == std::string::npos &&
      std::find(folders.begin(), folders.end(), folder) == folders.end()) {
    folders.push_back(folder);
  }
  std::string text;
  for (const std::string& known : folders) {
    text += known + "\n";
  }
  return WritePrivateFile(ListPath(), text);
}

std::vector<std::string> RunningStacks() {
  std::vector<std::string> folders = Written();
  folders.erase(std::remove_if(folders.begin(),
                               folders.end(),
                               [](const std::string& folder) { return !IsStackUp(folder); }),
                folders.end());
  return folders;
}

}  // namespace millrace::cli
