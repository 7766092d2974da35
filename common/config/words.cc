#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/descriptor.h>

#include "common/config/config.h"
#include "common/config/scalar.h"
#include "common/config/setting.h"
#include "common/status/status.h"

namespace millrace::config {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::size_t kFileBytesMax = (std::size_t{1} << 20U) + 1;  // one more, to notice more

// A flag and the value that came with it, if one did.
struct Flag {
  std::string name;  // as written, without the dashes before it
  std::optional<std::string> value;
};

Flag Split(const std::string& word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos) {
    return {.name = word.substr(2), .value = std::nullopt};
  }
  return {.name = word.substr(2, equals - 2), .value = word.substr(equals + 1)};
}

std::string PathOf(std::string flag) {
  std::replace(flag.begin(), flag.end(), '-', '_');
  return flag;
}

// What the words ask for, before anything is filled.
struct Request {
  Words words;
  std::optional<std::string> file;
  std::vector<std::pair<std::string, std::string>> settings;  // path and text, in order
};

absl::StatusOr<std::string> ValueOf(const Flag& flag,
                                    const std::vector<std::string>& words,
                                    std::size_t& at) {
  if (flag.value.has_value()) {
    return *flag.value;
  }
  if (at + 1 == words.size()) {
    return InvalidArgument("--{} needs a value", Shown(flag.name));
  }
  return words[++at];
}

bool FillsNothing(Words::Action action) {
  return action == Words::Action::kHelp || action == Words::Action::kVersion;
}

bool TakeAction(const Flag& flag, Words::Action& action) {
  constexpr std::array<std::pair<std::string_view, Words::Action>, 4> kActions = {
      {{"help", Words::Action::kHelp},
       {"version", Words::Action::kVersion},
       {"probe", Words::Action::kProbe},
       {"verify", Words::Action::kVerify}}};
  for (const auto& [name, named] : kActions) {
    if (flag.name == name && !flag.value.has_value()) {
      action = named;
      return true;
    }
  }
  return false;
}

// Whether the flag is an action on a folder, which then is the one that it names.
absl::StatusOr<bool> TakeFolderAction(const Flag& flag,
                                      const std::vector<std::string>& words,
                                      std::size_t& at,
                                      Words& asked) {
  if (flag.name != "backup" && flag.name != "restore") {
    return false;
  }
  asked.action = flag.name == "backup" ? Words::Action::kBackup : Words::Action::kRestore;
  ASSIGN_OR_RETURN(asked.folder, ValueOf(flag, words, at));
  if (asked.folder.empty()) {
    return InvalidArgument("--{} needs a folder", flag.name);
  }
  return true;
}

absl::StatusOr<Request> Read(const std::vector<std::string>& words, const Message& message) {
  Request request;
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (words[at].size() < 3 || words[at].rfind("--", 0) != 0) {
      return WithFix(InvalidArgument("unexpected word '{}'", Shown(words[at])),
                     "--help lists the flags");
    }
    const Flag flag = Split(words[at]);
    ASSIGN_OR_RETURN(const bool taken, TakeFolderAction(flag, words, at, request.words));
    if (taken) {
      continue;
    }
    if (TakeAction(flag, request.words.action)) {
      if (FillsNothing(request.words.action)) {
        return request;
      }
    } else if (flag.name == "config") {
      ASSIGN_OR_RETURN(request.file, ValueOf(flag, words, at));
    } else {
      const std::string path = PathOf(flag.name);
      const FieldDescriptor* const field = FindSetting(path, message);
      if (field == nullptr) {
        return Annotate(UnknownSetting(path, message), "command line");
      }
      const bool on = field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL && !flag.value.has_value();
      ASSIGN_OR_RETURN(std::string value,
                       on ? absl::StatusOr<std::string>("true") : ValueOf(flag, words, at));
      request.settings.emplace_back(path, std::move(value));
    }
  }
  return request;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string bytes(kFileBytesMax, '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!stream.eof() && stream.fail()) {
    return NotFound("cannot read the configuration file '{}'", path);
  }
  bytes.resize(static_cast<std::size_t>(stream.gcount()));
  return bytes;
}

std::string PrefixOf(std::string_view name) {
  std::string prefix = fmt::format("MILLRACE_{}", name);
  std::transform(prefix.begin(), prefix.end(), prefix.begin(), [](char c) {
    if (c == '-') {
      return '_';
    }
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return prefix;
}

}  // namespace

absl::StatusOr<Words> FillFromWords(std::string_view name,
                                    const std::vector<std::string>& words,
                                    const std::vector<std::string>& environment,
                                    Message& message) {
  ASSIGN_OR_RETURN(const Request request, Read(words, message));
  if (FillsNothing(request.words.action)) {
    return request.words;
  }
  const std::unique_ptr<Message> filled(message.New());
  filled->CopyFrom(message);
  if (request.file.has_value()) {
    ASSIGN_OR_RETURN(const std::string yaml, ReadFile(*request.file));
    RETURN_IF_ERROR(FillFromYaml(*request.file, yaml, *filled));
  }
  RETURN_IF_ERROR(FillFromEnvironment(PrefixOf(name), environment, *filled));
  for (const auto& [path, text] : request.settings) {
    const absl::Status status = Set(path, text, *filled);
    if (!status.ok()) {
      return Annotate(status, "command line");
    }
  }
  message.GetReflection()->Swap(&message, filled.get());
  return request.words;
}

}  // namespace millrace::config
