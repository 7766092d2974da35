#include "common/config/config.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include "millrace/config/v1/limit.pb.h"

#include "common/config/scalar.h"
#include "common/config/setting.h"
#include "common/status/status.h"

namespace millrace::config {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// limits.chunk_bytes_max -> LIMITS_CHUNK_BYTES_MAX
std::string VariableOf(std::string_view path) {
  std::string name(path);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    if (c == '.' || c == '-') {
      return '_';
    }
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

}  // namespace

absl::Status Set(std::string_view path, std::string_view text, Message& message) {
  const FieldDescriptor* const field = FindSetting(path, message);
  if (field == nullptr) {
    return UnknownSetting(path, message);
  }
  const std::unique_ptr<Message> changed(message.New());
  changed->CopyFrom(message);
  Message* at = changed.get();
  std::string_view rest = path;
  for (std::size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
    at = at->GetReflection()->MutableMessage(
        at, at->GetDescriptor()->FindFieldByName(std::string(rest.substr(0, dot))));
    rest.remove_prefix(dot + 1);
  }
  RETURN_IF_ERROR(PutScalar(*field, path, text, *at));
  message.GetReflection()->Swap(&message, changed.get());
  return absl::OkStatus();
}

absl::Status FillFromEnvironment(std::string_view prefix,
                                 const std::vector<std::string>& environment,
                                 Message& message) {
  std::map<std::string, std::string> path_of;
  std::vector<std::string> names;
  for (const std::string& path : SettingPaths(message)) {
    names.push_back(fmt::format("{}_{}", prefix, VariableOf(path)));
    path_of[names.back()] = path;
  }
  const std::unique_ptr<Message> filled(message.New());
  filled->CopyFrom(message);
  for (const std::string& entry : environment) {
    if (entry.rfind(fmt::format("{}_", prefix), 0) != 0) {
      continue;
    }
    const std::size_t equals = std::min(entry.find('='), entry.size());
    const std::string name = entry.substr(0, equals);
    const auto found = path_of.find(name);
    if (found == path_of.end()) {
      return WithFix(InvalidArgument("unknown environment variable '{}'", Shown(name)),
                     Suggestion(name, names));
    }
    const std::string value = equals < entry.size() ? entry.substr(equals + 1) : "";
    const absl::Status status = Set(found->second, value, *filled);
    if (!status.ok()) {
      return Annotate(status, name);
    }
  }
  message.GetReflection()->Swap(&message, filled.get());
  return absl::OkStatus();
}

namespace {

// What Set() and CheckLimits() together take.
std::string ExpectedOf(const FieldDescriptor& field) {
  const google::protobuf::FieldOptions& options = field.options();
  if (!options.HasExtension(v1::limit)) {
    return Expected(field);
  }
  const v1::Limit& limit = options.GetExtension(v1::limit);
  return fmt::format("a whole number in [{}, {}]", limit.least(), limit.most());
}

}  // namespace

std::string Help(std::string_view program, const Message& defaults) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const std::string& path : SettingPaths(defaults)) {
    const FieldDescriptor& field = *FindSetting(path, defaults);
    const std::string value = SettingText(path, defaults);
    std::string flag = "--" + path;
    std::replace(flag.begin(), flag.end(), '_', '-');
    lines.emplace_back(flag + (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL ? "" : " VALUE"),
                       ExpectedOf(field) + (value.empty() ? "" : "; default " + value));
  }
  lines.emplace_back("--config FILE", "YAML with these settings; variables and flags go over it");
  lines.emplace_back("--probe", "asks whether the service answers and ends with 0 when it does");
  lines.emplace_back("--verify",
                     "reads everything in the folder of a service that is stopped, and"
                     " names what is damaged");
  lines.emplace_back("--backup FOLDER",
                     "copies the state of a stopped service into an empty folder");
  lines.emplace_back("--restore FOLDER", "copies a backup into the service's empty folder");
  lines.emplace_back("--version", "prints the version");
  lines.emplace_back("--help", "prints this");
  std::string help = fmt::format("usage: {} [FLAG]...\n\n", program);
  for (const auto& [flag, text] : lines) {
    help += fmt::format("  {:<32} {}\n", flag, text);
  }
  return help;
}

}  // namespace millrace::config
