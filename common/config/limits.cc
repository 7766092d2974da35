#include "common/config/limits.h"

#include <cstdint>

#include <absl/strings/numbers.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include "common/config/config.h"
#include "common/config/setting.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::config {

using google::protobuf::Message;

std::vector<NamedLimit> LimitsOf(const Message& config) {
  std::vector<NamedLimit> limits;
  for (std::string& path : SettingPaths(config)) {
    const google::protobuf::FieldOptions& options = FindSetting(path, config)->options();
    if (options.HasExtension(v1::limit)) {
      limits.push_back({.path = std::move(path), .limit = options.GetExtension(v1::limit)});
    }
  }
  return limits;
}

void FillLimits(Message& config) {
  for (const auto& [path, limit] : LimitsOf(config)) {
    const absl::Status set = Set(path, std::to_string(limit.default_value()), config);
    CHECK(set.ok());
  }
}

absl::Status CheckLimits(const Message& config) {
  for (const auto& [path, limit] : LimitsOf(config)) {
    std::int64_t value = 0;
    if (!absl::SimpleAtoi(SettingText(path, config), &value) || value < limit.least() ||
        value > limit.most()) {
      return WithFix(InvalidArgument("{} must be in [{}, {}], found {}",
                                     path,
                                     limit.least(),
                                     limit.most(),
                                     SettingText(path, config)),
                     "it bounds " + limit.bounds());
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace::config
