#include "common/config/scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "common/config/config.h"
#include "common/status/status.h"

namespace millrace::config {

namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::size_t kShownBytesMax = 64;
constexpr std::string_view kUnspecified = "UNSPECIFIED";

template <typename Number>
bool ParseWhole(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  return result.ec == std::errc() && result.ptr == end;
}

bool ParseBoolean(std::string_view text, bool& value) {
  value = text == "true";
  return value || text == "false";
}

// The bytes that follow a first byte in UTF-8, or -1 when it cannot be one.
int FollowersOf(unsigned char first) {
  if (first < 0x80U) {
    return 0;
  }
  if (first >= 0xC2U && first <= 0xDFU) {
    return 1;
  }
  if (first >= 0xE0U && first <= 0xEFU) {
    return 2;
  }
  return first >= 0xF0U && first <= 0xF4U ? 3 : -1;
}

// A protobuf string must be UTF-8, or the message cannot be sent. RFC 3629, section 4.
bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const int followers = FollowersOf(first);
    if (followers < 0 || text.size() - i <= static_cast<std::size_t>(followers)) {
      return false;
    }
    ++i;
    for (int n = 0; n < followers; ++n, ++i) {
      const auto next = static_cast<unsigned char>(text[i]);
      // The second byte rules out long forms, surrogates and what is over U+10FFFF.
      const bool low =
          n == 0 && ((first == 0xE0U && next < 0xA0U) || (first == 0xF0U && next < 0x90U));
      const bool high =
          n == 0 && ((first == 0xEDU && next > 0x9FU) || (first == 0xF4U && next > 0x8FU));
      if ((next & 0xC0U) != 0x80U || low || high) {
        return false;
      }
    }
  }
  return true;
}

// PREFIX_ of PREFIX_UNSPECIFIED, the value that every enum of ours begins with.
std::string_view PrefixOf(const EnumDescriptor& type) {
  std::string_view prefix = type.value(0)->name();
  if (prefix.size() >= kUnspecified.size()) {
    prefix.remove_suffix(kUnspecified.size());
  }
  return prefix;
}

std::string WordOf(const EnumValueDescriptor& value) {
  std::string word = value.name().substr(PrefixOf(*value.type()).size());
  std::transform(word.begin(), word.end(), word.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return word;
}

const EnumValueDescriptor* FindEnum(const EnumDescriptor& type, std::string_view text) {
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0 && WordOf(*type.value(i)) == text) {
      return type.value(i);
    }
  }
  return nullptr;
}

// Sets or adds, whichever the field asks for.
template <typename Set, typename Add, typename Value>
void Put(Set set, Add add, const FieldDescriptor& field, Message& message, Value value) {
  const auto* const reflection = message.GetReflection();
  if (field.is_repeated()) {
    (reflection->*add)(&message, &field, std::move(value));
  } else {
    (reflection->*set)(&message, &field, std::move(value));
  }
}

using google::protobuf::Reflection;

bool PutNumber(const FieldDescriptor& field, std::string_view text, Message& message) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      std::int32_t number = 0;
      if (!ParseWhole(text, number)) {
        return false;
      }
      Put(&Reflection::SetInt32, &Reflection::AddInt32, field, message, number);
      return true;
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      std::int64_t number = 0;
      if (!ParseWhole(text, number)) {
        return false;
      }
      Put(&Reflection::SetInt64, &Reflection::AddInt64, field, message, number);
      return true;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double number = 0;
      if (!ParseWhole(text, number) || !std::isfinite(number)) {
        return false;
      }
      Put(&Reflection::SetDouble, &Reflection::AddDouble, field, message, number);
      return true;
    }
    default:
      return false;
  }
}

bool PutText(const FieldDescriptor& field, std::string_view text, Message& message) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL: {
      bool value = false;
      if (!ParseBoolean(text, value)) {
        return false;
      }
      Put(&Reflection::SetBool, &Reflection::AddBool, field, message, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      if (!IsUtf8(text)) {
        return false;
      }
      Put(&Reflection::SetString, &Reflection::AddString, field, message, std::string(text));
      return true;
    case FieldDescriptor::CPPTYPE_ENUM: {
      const EnumValueDescriptor* const value = FindEnum(*field.enum_type(), text);
      if (value == nullptr) {
        return false;
      }
      Put(&Reflection::SetEnum, &Reflection::AddEnum, field, message, value);
      return true;
    }
    default:
      return PutNumber(field, text, message);
  }
}

}  // namespace

std::string Expected(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return fmt::format("a whole number in [{}, {}]",
                         std::numeric_limits<std::int32_t>::min(),
                         std::numeric_limits<std::int32_t>::max());
    case FieldDescriptor::CPPTYPE_INT64:
      return "a whole number of 64 bits";
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "a finite number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_STRING:
      return "a text of UTF-8";
    case FieldDescriptor::CPPTYPE_ENUM:
      return fmt::format("one of {}", fmt::join(EnumWords(*field.enum_type()), ", "));
    default:
      return "of a type that can be written as text";
  }
}

std::vector<std::string> EnumWords(const EnumDescriptor& type) {
  std::vector<std::string> words;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) {
      words.push_back(WordOf(*type.value(i)));
    }
  }
  return words;
}

absl::Status PutScalar(const FieldDescriptor& field,
                       std::string_view where,
                       std::string_view text,
                       Message& message) {
  if (PutText(field, text, message)) {
    return absl::OkStatus();
  }
  absl::Status status =
      InvalidArgument("{} must be {}, found '{}'", where, Expected(field), Shown(text));
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM) {
    return status;
  }
  const std::string closest = Closest(text, EnumWords(*field.enum_type()));
  return closest.empty() ? status
                         : WithFix(std::move(status), fmt::format("did you mean '{}'?", closest));
}

std::string ScalarText(const FieldDescriptor& field, const Message& message) {
  const auto* const reflection = message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return fmt::format("{}", reflection->GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return fmt::format("{}", reflection->GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return fmt::format("{}", reflection->GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->GetString(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return WordOf(*reflection->GetEnum(message, &field));
    default:
      return {};
  }
}

std::string Shown(std::string_view text) {
  std::string shown(text.substr(0, kShownBytesMax));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text.size() > kShownBytesMax ? shown + "..." : shown;
}

std::string Suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string closest = Closest(word, candidates);
  return closest.empty() ? fmt::format("known are: {}", fmt::join(candidates, ", "))
                         : fmt::format("did you mean '{}'?", closest);
}

}  // namespace millrace::config
