#include <memory>
#include <set>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>

#include "common/config/config.h"
#include "common/config/scalar.h"
#include "common/config/yaml_tree.h"
#include "common/status/status.h"

namespace millrace::config {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using Kind = YamlNode::Kind;

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    names.push_back(type.field(i)->name());
  }
  return names;
}

// Whether a message says nothing but which one of several.
bool IsChoice(const Descriptor& type) {
  return type.real_oneof_decl_count() == 1 &&
         type.oneof_decl(0)->field_count() == type.field_count();
}

std::string Join(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

// Walks a tree along a message's descriptor. `path` names where in the message, for errors.
class Filler {
 public:
  explicit Filler(std::string_view source) : source_(source) {}

  absl::Status Fill(const YamlNode& node, const std::string& path, Message& message) {
    if (node.kind == Kind::kScalar && IsChoice(*message.GetDescriptor())) {
      return FillChoice(node, path, message);
    }
    if (node.kind != Kind::kMap) {
      return Fail(node, path, "a mapping of keys and values");
    }
    const Descriptor& type = *message.GetDescriptor();
    std::set<std::string> seen;
    std::set<const OneofDescriptor*> chosen;
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      const YamlNode& key = node.items[i];
      RETURN_IF_ERROR(CheckKey(key, path, seen));
      const FieldDescriptor* const field = type.FindFieldByName(key.text);
      if (field == nullptr) {
        return Unknown(key, path, FieldNames(type));
      }
      const OneofDescriptor* const oneof = field->real_containing_oneof();
      if (oneof != nullptr && !chosen.insert(oneof).second) {
        return InvalidArgument("{}: '{}' is a second choice{}: only one may be given",
                               PlaceOf(source_, key),
                               key.text,
                               In(path));
      }
      RETURN_IF_ERROR(FillField(*field, node.items[i + 1], Join(path, key.text), message));
    }
    return absl::OkStatus();
  }

 private:
  // A bare word: that member with its defaults.
  absl::Status FillChoice(const YamlNode& node, const std::string& path, Message& message) {
    const Descriptor& type = *message.GetDescriptor();
    const FieldDescriptor* const field = type.FindFieldByName(node.text);
    if (field == nullptr) {
      return WithFix(
          InvalidArgument(
              "{}: unknown choice '{}'{}", PlaceOf(source_, node), Shown(node.text), In(path)),
          Suggestion(node.text, FieldNames(type)));
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return InvalidArgument("{}: '{}'{} needs a value: {}",
                             PlaceOf(source_, node),
                             node.text,
                             In(path),
                             Expected(*field));
    }
    message.Clear();
    message.GetReflection()->MutableMessage(&message, field);
    return absl::OkStatus();
  }

  absl::Status FillField(const FieldDescriptor& field,
                         const YamlNode& node,
                         const std::string& path,
                         Message& message) {
    if (field.is_map()) {
      return FillMap(field, node, path, message);
    }
    if (field.is_repeated()) {
      return FillList(field, node, path, message);
    }
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      return Fill(node, path, *message.GetReflection()->MutableMessage(&message, &field));
    }
    return FillScalar(field, node, path, message);
  }

  absl::Status FillScalar(const FieldDescriptor& field,
                          const YamlNode& node,
                          const std::string& path,
                          Message& message) {
    if (node.kind != Kind::kScalar) {
      return Fail(node, path, Expected(field));
    }
    const absl::Status status = PutScalar(field, path, node.text, message);
    return status.ok() ? status : Annotate(status, PlaceOf(source_, node));
  }

  absl::Status FillList(const FieldDescriptor& field,
                        const YamlNode& node,
                        const std::string& path,
                        Message& message) {
    if (node.kind != Kind::kList) {
      return Fail(node, path, "a list");
    }
    const auto* const reflection = message.GetReflection();
    reflection->ClearField(&message, &field);
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const std::string item = fmt::format("{}[{}]", path, i);
      RETURN_IF_ERROR(field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE
                          ? Fill(node.items[i], item, *reflection->AddMessage(&message, &field))
                          : FillScalar(field, node.items[i], item, message));
    }
    return absl::OkStatus();
  }

  absl::Status FillMap(const FieldDescriptor& field,
                       const YamlNode& node,
                       const std::string& path,
                       Message& message) {
    if (node.kind != Kind::kMap) {
      return Fail(node, path, "a mapping of keys and values");
    }
    const auto* const reflection = message.GetReflection();
    reflection->ClearField(&message, &field);
    std::set<std::string> seen;
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      const YamlNode& key = node.items[i];
      RETURN_IF_ERROR(CheckKey(key, path, seen));
      Message& entry = *reflection->AddMessage(&message, &field);
      const std::string item = fmt::format("{}['{}']", path, Shown(key.text));
      const Descriptor& type = *field.message_type();
      RETURN_IF_ERROR(FillScalar(*type.map_key(), key, item, entry));
      RETURN_IF_ERROR(FillField(*type.map_value(), node.items[i + 1], item, entry));
    }
    return absl::OkStatus();
  }

  absl::Status CheckKey(const YamlNode& key, const std::string& path, std::set<std::string>& seen) {
    if (key.kind != Kind::kScalar) {
      return InvalidArgument("{}: a key{} must be a word, found {}",
                             PlaceOf(source_, key),
                             In(path),
                             KindName(key.kind));
    }
    if (!seen.insert(key.text).second) {
      return InvalidArgument(
          "{}: key '{}' is repeated{}", PlaceOf(source_, key), Shown(key.text), In(path));
    }
    return absl::OkStatus();
  }

  absl::Status Unknown(const YamlNode& key,
                       const std::string& path,
                       const std::vector<std::string>& known) {
    return WithFix(
        InvalidArgument("{}: unknown key '{}'{}", PlaceOf(source_, key), Shown(key.text), In(path)),
        Suggestion(key.text, known));
  }

  absl::Status Fail(const YamlNode& node, const std::string& path, std::string_view expected) {
    return InvalidArgument("{}: {} must be {}, found {}{}",
                           PlaceOf(source_, node),
                           path.empty() ? "the document" : path,
                           expected,
                           KindName(node.kind),
                           node.kind == Kind::kScalar ? " '" + Shown(node.text) + "'" : "");
  }

  static std::string In(const std::string& path) { return path.empty() ? "" : " in " + path; }

  std::string source_;
};

}  // namespace

absl::Status FillFromYaml(std::string_view source, std::string_view yaml, Message& message) {
  ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(source, yaml));
  if (root.kind == Kind::kNothing) {
    return absl::OkStatus();
  }
  const std::unique_ptr<Message> filled(message.New());
  filled->CopyFrom(message);
  RETURN_IF_ERROR(Filler(source).Fill(root, "", *filled));
  message.GetReflection()->Swap(&message, filled.get());
  return absl::OkStatus();
}

}  // namespace millrace::config
