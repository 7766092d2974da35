#include "common/config/yaml_tree.h"

#include <cstddef>
#include <exception>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "common/status/status.h"

namespace millrace::config {

namespace {

constexpr std::size_t kBytesMax = std::size_t{1} << 20U;
constexpr std::size_t kLevelsMax = 64;

// Builds the tree from the parser's events. After the first error it ignores the rest: the input is
// bounded, and the parser cannot be stopped.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view source) : source_(source) {}

  [[nodiscard]] absl::Status status() const { return status_; }

  YamlNode Take() { return root_.items.empty() ? YamlNode() : std::move(root_.items.front()); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}

  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(mark, YamlNode::Kind::kNothing, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    Fail(mark, "aliases are not taken");
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    CheckTag(mark, tag);
    if (YamlNode* const node = Add(mark, YamlNode::Kind::kScalar, anchor); node != nullptr) {
      node->text = value;
    }
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    CheckTag(mark, tag);
    Enter(mark, YamlNode::Kind::kList, anchor);
  }

  void OnSequenceEnd() override { Leave(); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    CheckTag(mark, tag);
    Enter(mark, YamlNode::Kind::kMap, anchor);
  }

  void OnMapEnd() override { Leave(); }

 private:
  void Fail(const YAML::Mark& mark, std::string_view what) {
    if (status_.ok()) {
      status_ = InvalidArgument("{}:{}:{}: {}", source_, mark.line + 1, mark.column + 1, what);
    }
  }

  // "?" is none, "!" a quoted text.
  void CheckTag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      Fail(mark, "tags are not taken");
    }
  }

  YamlNode* Add(const YAML::Mark& mark, YamlNode::Kind kind, YAML::anchor_t anchor) {
    if (anchor != 0) {
      Fail(mark, "anchors are not taken");
    }
    if (!status_.ok()) {
      return nullptr;
    }
    YamlNode& node = open_.back()->items.emplace_back();
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return &node;
  }

  void Enter(const YAML::Mark& mark, YamlNode::Kind kind, YAML::anchor_t anchor) {
    if (open_.size() > kLevelsMax) {
      Fail(mark, "more than 64 levels");
    }
    // A node's items may move when it grows, but not while one of them is open.
    if (YamlNode* const node = Add(mark, kind, anchor); node != nullptr) {
      open_.push_back(node);
    }
  }

  void Leave() {
    if (status_.ok()) {
      open_.pop_back();
    }
  }

  std::string source_;
  YamlNode root_;
  std::vector<YamlNode*> open_{&root_};  // from the root down
  absl::Status status_;
};

}  // namespace

std::string_view KindName(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNothing:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a value";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a mapping";
  }
  return "nothing";
}

std::string PlaceOf(std::string_view source, const YamlNode& node) {
  return fmt::format("{}:{}:{}", source, node.line, node.column);
}

absl::StatusOr<YamlNode> ParseYaml(std::string_view source, std::string_view yaml) {
  if (yaml.size() > kBytesMax) {
    return InvalidArgument(
        "{} must have at most {} bytes, found {}", source, kBytesMax, yaml.size());
  }
  // yaml-cpp throws; nothing leaves this function.
  try {
    std::istringstream stream{std::string(yaml)};
    YAML::Parser parser(stream);
    TreeBuilder builder(source);
    parser.HandleNextDocument(builder);
    RETURN_IF_ERROR(builder.status());
    TreeBuilder rest(source);
    if (parser.HandleNextDocument(rest)) {
      return InvalidArgument("{} must be one YAML document, found another", source);
    }
    return builder.Take();
  } catch (const YAML::Exception& exception) {
    return InvalidArgument("{}:{}:{}: this is not YAML: {}",
                           source,
                           exception.mark.line + 1,
                           exception.mark.column + 1,
                           exception.msg);
  } catch (const std::exception& exception) {
    return InvalidArgument("{}: this is not YAML: {}", source, exception.what());
  }
}

}  // namespace millrace::config
