#include "common/config/setting.h"

#include "common/config/scalar.h"
#include "common/status/status.h"

namespace millrace::config {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kLevelsMax = 8;  // a message may hold itself

bool IsScalar(const FieldDescriptor& field) {
  return !field.is_repeated() && field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
}

void Collect(const Descriptor& type,
             const std::string& prefix,
             int level,
             std::vector<std::string>& paths) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string path = prefix + field.name();
    if (IsScalar(field)) {
      paths.push_back(path);
    } else if (!field.is_repeated() && level < kLevelsMax) {
      Collect(*field.message_type(), path + ".", level + 1, paths);
    }
  }
}

}  // namespace

std::vector<std::string> SettingPaths(const Message& message) {
  std::vector<std::string> paths;
  Collect(*message.GetDescriptor(), "", 1, paths);
  return paths;
}

const FieldDescriptor* FindSetting(std::string_view path, const Message& message) {
  const Descriptor* type = message.GetDescriptor();
  while (true) {
    const std::size_t dot = path.find('.');
    const bool last = dot == std::string_view::npos;
    const FieldDescriptor* const field = type->FindFieldByName(std::string(path.substr(0, dot)));
    if (field == nullptr || field->is_repeated() || IsScalar(*field) != last) {
      return nullptr;
    }
    if (last) {
      return field;
    }
    type = field->message_type();
    path.remove_prefix(dot + 1);
  }
}

absl::Status UnknownSetting(std::string_view path, const Message& message) {
  return WithFix(InvalidArgument("there is no setting '{}'", Shown(path)),
                 Suggestion(path, SettingPaths(message)));
}

std::string SettingText(std::string_view path, const Message& message) {
  const Message* at = &message;
  for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    const FieldDescriptor* const field =
        at->GetDescriptor()->FindFieldByName(std::string(path.substr(0, dot)));
    at = &at->GetReflection()->GetMessage(*at, field);
    path.remove_prefix(dot + 1);
  }
  return ScalarText(*at->GetDescriptor()->FindFieldByName(std::string(path)), *at);
}

}  // namespace millrace::config
