// YAML: nothing changes on failure, and what was read once is read the same on top of itself.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "millrace/data/v1/config.pb.h"
#include "millrace/model/v1/training_spec.pb.h"

#include "common/config/config.h"
#include "common/config/yaml_tree.h"
#include "common/status/check.h"

namespace millrace::config {
namespace {

using google::protobuf::Message;

int LevelsOf(const YamlNode& node) {
  int most = 0;
  for (const YamlNode& item : node.items) {
    most = std::max(most, LevelsOf(item));
  }
  return most + 1;
}

void HoldTree(std::string_view yaml) {
  const auto tree = ParseYaml("t.yaml", yaml);
  if (!tree.ok()) {
    CHECK(absl::IsInvalidArgument(tree.status()));
    CHECK(std::string(tree.status().message()).starts_with("t.yaml"));
    return;
  }
  CHECK(LevelsOf(*tree) <= 66);
}

void HoldMessage(std::string_view yaml, Message& message) {
  const std::unique_ptr<Message> before(message.New());
  before->CopyFrom(message);
  const absl::Status status = FillFromYaml("t.yaml", yaml, message);
  if (!status.ok()) {
    CHECK(absl::IsInvalidArgument(status));
    CHECK(message.SerializeAsString() == before->SerializeAsString());
    return;
  }
  const std::unique_ptr<Message> once(message.New());
  once->CopyFrom(message);
  CHECK(FillFromYaml("t.yaml", yaml, message).ok());
  CHECK(message.DebugString() == once->DebugString());
}

}  // namespace
}  // namespace millrace::config

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  millrace::config::HoldTree(yaml);
  millrace::model::v1::TrainingSpec spec;
  spec.set_epochs(3);
  millrace::config::HoldMessage(yaml, spec);
  millrace::data::v1::DataConfig config;
  millrace::config::HoldMessage(yaml, config);
  return 0;
}
