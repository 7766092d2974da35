#include "common/version/version.h"

#include "build_revision.h"

namespace millrace {

std::string_view Version() {
  return MILLRACE_VERSION;
}

std::string_view BuildName() {
  return MILLRACE_BUILD;
}

}  // namespace millrace
