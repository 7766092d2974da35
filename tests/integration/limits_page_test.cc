// docs/limits.md is what the configurations say.

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "millrace/data/v1/config.pb.h"
#include "millrace/serving/v1/config.pb.h"
#include "millrace/training/v1/config.pb.h"

#include "common/config/limits.h"
#include "tests/integration/clients.h"

namespace millrace::integration {
namespace {

constexpr std::string_view kIntroduction = R"(# Limits

Made from the services' configurations (the option `limit` on the fields of `proto/millrace/*/v1/config.proto`)
by `MILLRACE_WRITE_DOCS=1 build/release/bin/integration_limits_test`; a test holds the two together.

A limit is set as every setting is: in the YAML of `--config`, by a variable, or by a flag. For `limits.columns_max` of
the data service these are `limits: {columns_max: 500}`, `MILLRACE_DATA_LIMITS_COLUMNS_MAX=500` and
`--limits.columns-max=500`. A value out of its range stops the start.

What every installation must share is no setting: the patterns of names and chunks of up to 1 MiB, which are the
protocol itself. A model is taken wherever it was made, up to the numbers that the contracts say at their fields: 1,024
categories a column, 1,000 classes, 256 layers of up to 65,536 units. The settings of these can only be lower.
)";

std::string Amount(std::string_view path, std::int64_t value) {
  constexpr std::pair<int, const char*> kUnits[] = {
      {50, "PiB"}, {40, "TiB"}, {30, "GiB"}, {20, "MiB"}, {10, "KiB"}};
  if (path.find("bytes") == std::string_view::npos) {
    return fmt::format("{}", value);
  }
  for (const auto& [bits, unit] : kUnits) {
    const std::int64_t size = std::int64_t{1} << bits;
    if (value >= size && value % size == 0) {
      return fmt::format("{} {}", value / size, unit);
    }
  }
  return fmt::format("{}", value);
}

std::string SectionOf(std::string_view service, const google::protobuf::Message& config) {
  std::string section = fmt::format(
      "\n## millrace-{}\n\n| setting | default | from | to | bounds |\n| --- | ---: | ---: | ---: "
      "| --- |\n",
      service);
  for (const auto& [path, limit] : config::LimitsOf(config)) {
    section += fmt::format("| `{}` | {} | {} | {} | {} |\n",
                           path,
                           Amount(path, limit.default_value()),
                           Amount(path, limit.least()),
                           Amount(path, limit.most()),
                           limit.bounds());
  }
  return section;
}

TEST(LimitsPageTest, SaysWhatTheConfigurationsSay) {
  const std::string page = std::string(kIntroduction) + SectionOf("data", data::v1::DataConfig()) +
                           SectionOf("training", training::v1::TrainingConfig()) +
                           SectionOf("serving", serving::v1::ServingConfig());
  const std::string path = MILLRACE_SOURCE_DIR "/docs/limits.md";
  if (std::getenv("MILLRACE_WRITE_DOCS") != nullptr) {
    std::ofstream(path) << page;
  }
  EXPECT_EQ(ReadFile("docs/limits.md"), page) << "write it with MILLRACE_WRITE_DOCS=1";
}

}  // namespace
}  // namespace millrace::integration
