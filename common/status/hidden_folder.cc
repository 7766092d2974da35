#include "common/status/hidden_folder.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <filesystem>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

namespace millrace {

namespace {

constexpr std::string_view kShown = "a file of the service";
constexpr std::string_view kPathEnd = " \t\r\n'\"`,;:()[]{}<>";

using Folders = std::vector<std::string>;

std::atomic<const Folders*> hidden{nullptr};

// Answers may be made until the end, of what was hidden before, too.
void KeepForEver(std::unique_ptr<const Folders> folders) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<const Folders>>();
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(folders));
}

bool Continues(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '-' || c == '_' ||
         c == '.';
}

std::string Without(std::string_view text, const std::string& folder) {
  std::string shown;
  while (true) {
    const std::size_t at = text.find(folder);
    if (at == std::string_view::npos) {
      return shown.append(text);
    }
    const bool begins = at == 0 || !Continues(text[at - 1]);
    const std::size_t after = at + folder.size();
    // A relative folder may be a plain word.
    const bool is_path = folder.front() == '/'
                             ? after == text.size() || !Continues(text[after]) || text[after] == '/'
                             : after < text.size() && text[after] == '/';
    shown.append(text.substr(0, at));
    if (begins && is_path) {
      shown.append(kShown);
      text.remove_prefix(std::min(text.find_first_of(kPathEnd, after), text.size()));
    } else {
      shown.append(folder);
      text.remove_prefix(after);
    }
  }
}

}  // namespace

void HideFolder(const std::string& folder) {
  std::error_code error;
  auto folders = std::make_unique<Folders>();
  if (!folder.empty()) {
    for (std::string form : {std::filesystem::absolute(folder, error).lexically_normal().string(),
                             std::filesystem::weakly_canonical(folder, error).string(),
                             folder}) {
      while (form.size() > 1 && form.back() == '/') {
        form.pop_back();
      }
      if (form.find_first_not_of("./") != std::string::npos) {
        folders->push_back(form);
      }
    }
  }
  hidden.store(folders.get(), std::memory_order_release);
  KeepForEver(std::move(folders));
}

std::string WithoutHiddenPaths(std::string_view text) {
  std::string shown(text);
  if (const Folders* const folders = hidden.load(std::memory_order_acquire); folders != nullptr) {
    for (const std::string& folder : *folders) {
      shown = Without(shown, folder);
    }
  }
  return shown;
}

}  // namespace millrace
