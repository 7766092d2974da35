#include "clients/cli/reference.h"

#include <string>
#include <string_view>

#include <fmt/core.h>

namespace millrace::cli {

std::string FullName(std::string_view collection, std::string_view reference) {
  if (reference.starts_with(fmt::format("{}/", collection))) {
    return std::string(reference);
  }
  const std::size_t at = reference.find('@');
  if (at == std::string_view::npos) {
    return fmt::format("{}/{}", collection, reference);
  }
  return fmt::format(
      "{}/{}/versions/{}", collection, reference.substr(0, at), reference.substr(at + 1));
}

std::string ShortName(std::string_view name) {
  const std::size_t slash = name.find('/');
  std::string_view rest = slash == std::string_view::npos ? name : name.substr(slash + 1);
  constexpr std::string_view kVersions = "/versions/";
  const std::size_t versions = rest.find(kVersions);
  if (versions == std::string_view::npos) {
    return std::string(rest);
  }
  return fmt::format("{}@{}", rest.substr(0, versions), rest.substr(versions + kVersions.size()));
}

}  // namespace millrace::cli
