#include "services/data/pipeline/options.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::data {
namespace {

TEST(CompleteOptionsTest, FillsInTheDefaults) {
  const auto options = CompleteOptions(v1::ImportOptions());

  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->train_fraction(), 0.7);
  EXPECT_EQ(options->validation_fraction(), 0.15);
  EXPECT_EQ(options->scaling(), v1::SCALING_MIN_MAX);
  EXPECT_EQ(options->header(), v1::ImportOptions::HEADER_UNSPECIFIED) << "to be detected";
}

TEST(CompleteOptionsTest, KeepsWhatIsGiven) {
  v1::ImportOptions given;
  given.set_train_fraction(0.7);
  given.set_validation_fraction(0.3);
  given.set_delimiter("\t");
  given.set_scaling(v1::SCALING_NONE);
  const auto options = CompleteOptions(given);

  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->validation_fraction(), 0.3);
  EXPECT_EQ(options->scaling(), v1::SCALING_NONE);
}

struct Wrong {
  std::string message;
  std::function<void(v1::ImportOptions&)> apply;
};

TEST(CompleteOptionsTest, RefusesWhatMakesNoSense) {
  const std::vector<Wrong> cases = {
      {"options.delimiter must be one ASCII character and no quote, found ',,'",
       [](auto& o) { o.set_delimiter(",,"); }},
      {"options.delimiter must be", [](auto& o) { o.set_delimiter("\""); }},
      {"options.delimiter must be", [](auto& o) { o.set_delimiter("\n"); }},
      {"options.delimiter must be", [](auto& o) { o.set_delimiter("§"); }},
      {"options.train_fraction must be in (0, 1], found 1.5",
       [](auto& o) { o.set_train_fraction(1.5); }},
      {"options.train_fraction must be", [](auto& o) { o.set_train_fraction(-0.1); }},
      {"options.train_fraction must be", [](auto& o) { o.set_train_fraction(std::nan("")); }},
      {"options.validation_fraction must be in [0, 1), found 1",
       [](auto& o) { o.set_validation_fraction(1); }},
      {"must be at most 1 together",
       [](auto& o) {
         o.set_train_fraction(0.8);
         o.set_validation_fraction(0.3);
       }},
      {"options.drop_columns must not have the label, found 'y'",
       [](auto& o) {
         o.set_label("y");
         o.add_drop_columns(std::string("y"));
       }},
      {"options.positive_class needs a label, found 'yes' without one",
       [](auto& o) { o.set_positive_class("yes"); }},
      {"options.missing_spellings must be at most 100, found 101",
       [](auto& o) {
         for (int i = 0; i <= 100; ++i) {
           o.add_missing_spellings(std::string("x"));
         }
       }},
      {"options.missing_spellings must have at most 256 bytes each, found 257",
       [](auto& o) { o.add_missing_spellings(std::string(257, 'x')); }},
      {"options.header must be present or absent, found 9",
       [](auto& o) { o.set_header(static_cast<v1::ImportOptions::Header>(9)); }},
      {"options.scaling must be min-max, standard or none, found 9",
       [](auto& o) { o.set_scaling(static_cast<v1::Scaling>(9)); }},
      {"options.column_types must be known types, found 99 for 'x'",
       [](auto& o) { (*o.mutable_column_types())["x"] = static_cast<schema::v1::ColumnType>(99); }},
  };
  for (const Wrong& wrong : cases) {
    v1::ImportOptions options;
    wrong.apply(options);
    const absl::Status status = CompleteOptions(options).status();

    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong.message;
    EXPECT_THAT(std::string(Message(status)), testing::HasSubstr(wrong.message));
  }
}

}  // namespace
}  // namespace millrace::data
