#include "services/serving/load/signature_rule.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::serving {
namespace {

using testing::HasSubstr;

using Features = std::vector<std::pair<std::string, schema::v1::ColumnType>>;

const Features kFeatures = {{"age", schema::v1::COLUMN_TYPE_INTEGER},
                            {"colour", schema::v1::COLUMN_TYPE_CATEGORY},
                            {"smoker", schema::v1::COLUMN_TYPE_BOOLEAN}};

v1::ModelSignature Signature(const Features& features = kFeatures) {
  v1::ModelSignature signature;
  for (const auto& [name, type] : features) {
    v1::ModelSignature::Feature& feature = *signature.add_features();
    feature.set_name(name);
    feature.set_type(type);
  }
  signature.set_label("outcome");
  signature.set_task(schema::v1::TASK_BINARY);
  signature.add_classes("no");
  signature.add_classes("yes");
  signature.set_positive_class("yes");
  return signature;
}

v1::ModelSignature Species(const std::vector<std::string>& classes) {
  v1::ModelSignature signature = Signature();
  signature.set_task(schema::v1::TASK_MULTICLASS);
  signature.clear_positive_class();
  signature.mutable_classes()->Assign(classes.begin(), classes.end());
  return signature;
}

void ExpectRefused(const v1::ModelSignature& next, const std::string& phrase) {
  const absl::Status status = CheckFits(Signature(), next);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << phrase;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(phrase));
  EXPECT_THAT(Fix(status), HasSubstr("another model's name"));
}

TEST(SignatureRuleTest, TheSameFeaturesInAnyOrderFit) {
  EXPECT_TRUE(CheckFits(Signature(), Signature()).ok());
  Features turned(kFeatures.rbegin(), kFeatures.rend());
  EXPECT_TRUE(CheckFits(Signature(), Signature(turned)).ok());
  EXPECT_TRUE(IsSameSignature(Signature(), Signature(turned)));
}

TEST(SignatureRuleTest, WholeNumbersAndFractionsAreOneKind) {
  Features real = kFeatures;
  real[0].second = schema::v1::COLUMN_TYPE_REAL;
  EXPECT_TRUE(CheckFits(Signature(), Signature(real)).ok());
  EXPECT_TRUE(CheckFits(Signature(real), Signature()).ok());
  EXPECT_FALSE(IsSameSignature(Signature(), Signature(real)));
}

TEST(SignatureRuleTest, WhatCallersSendMayNotChange) {
  ExpectRefused(Signature(Features(kFeatures.begin() + 1, kFeatures.end())),
                "the feature 'age' is missing");
  Features other = kFeatures;
  other.emplace_back("height", schema::v1::COLUMN_TYPE_REAL);
  ExpectRefused(Signature(other), "the feature 'height' is new");
  other = kFeatures;
  other[1].second = schema::v1::COLUMN_TYPE_REAL;
  ExpectRefused(Signature(other), "the feature 'colour' is a number instead of a category");
}

TEST(SignatureRuleTest, WhatTheyGetMayNotChange) {
  v1::ModelSignature next = Signature();
  next.set_label("diagnosis");
  ExpectRefused(next, "the label is 'diagnosis' instead of 'outcome'");
  next = Signature();
  next.set_positive_class("no");
  ExpectRefused(next, "the positive class is 'no' instead of 'yes'");
  next = Signature();
  next.set_task(schema::v1::TASK_REGRESSION);
  ExpectRefused(next, "it predicts a number instead of two classes");
}

TEST(SignatureRuleTest, ClassesMayBeAddedAndNoneMayGo) {
  EXPECT_TRUE(CheckFits(Species({"a", "b", "c"}), Species({"a", "aa", "b", "c"})).ok());
  const absl::Status gone = CheckFits(Species({"a", "b", "c"}), Species({"a", "c", "d"}));
  EXPECT_THAT(std::string(Message(gone)), HasSubstr("the class 'b' is missing"));
}

TEST(SignatureRuleTest, NamesThreeDifferencesAndCountsTheOthers) {
  Features others;
  for (int i = 0; i < 100; ++i) {
    others.emplace_back(std::string(1'000, 'x') + std::to_string(i), schema::v1::COLUMN_TYPE_REAL);
  }
  const absl::Status status = CheckFits(Signature(), Signature(others));
  EXPECT_THAT(std::string(Message(status)), HasSubstr("and 100 differences more"));
  EXPECT_LT(Message(status).size(), 400U);
}

TEST(SignatureRuleTest, TheOrderOfClassesIsTheSignaturesAndThatOfFeaturesIsNot) {
  v1::ModelSignature next = Signature();
  next.mutable_features()->SwapElements(0, 2);
  EXPECT_TRUE(IsSameSignature(Signature(), next));

  next.mutable_features(0)->set_type(schema::v1::COLUMN_TYPE_REAL);
  EXPECT_FALSE(IsSameSignature(Signature(), next));
  EXPECT_FALSE(IsSameSignature(Species({"a", "b"}), Species({"b", "a"})))
      << "the order of the probabilities";
}

// All changes of the catalog wait for it.
TEST(SignatureRuleTest, TheWidestModelsAreComparedAtOnce) {
  Features features;
  for (int i = 0; i < 16'384; ++i) {
    features.emplace_back(fmt::format("x{}", i), schema::v1::COLUMN_TYPE_REAL);
  }
  const v1::ModelSignature wide = Signature(features);
  std::reverse(features.begin(), features.end());

  EXPECT_TRUE(IsSameSignature(wide, Signature(features)));  // minutes, pair by pair
  EXPECT_TRUE(CheckFits(wide, Signature(features)).ok());
}

}  // namespace
}  // namespace millrace::serving
