#include "services/serving/predict/predictor.h"

#include <cstring>
#include <limits>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "services/serving/load/loaded_model.h"
#include "tests/unit/services/serving/small_bundle.h"

namespace millrace::serving {
namespace {

using testing::HasSubstr;
using Columns = google::protobuf::RepeatedPtrField<std::string>;
using Rows = google::protobuf::RepeatedPtrField<schema::v1::Row>;
using Predictions = google::protobuf::RepeatedPtrField<v1::Prediction>;

class PredictorTest : public testing::Test {
 protected:
  explicit PredictorTest(schema::v1::Task task = schema::v1::TASK_BINARY)
      : loaded_(*LoadModel(SmallBytes(1, task))),
        predictor_(loaded_.manifest.schema(), loaded_.transformer, loaded_.plan, loaded_.loss) {}

  static Columns Named(const std::vector<std::string>& names) {
    return {names.begin(), names.end()};
  }

  static void AddRow(double age, const std::string& colour, Rows& rows) {
    schema::v1::Row& row = *rows.Add();
    row.add_values()->set_number(age);
    row.add_values()->set_text(colour);
  }

  Predictions Predict(const Columns& columns, const Rows& rows) {
    Predictions predictions;
    const absl::Status status = predictor_.Predict(columns, rows, predictions);
    EXPECT_TRUE(status.ok()) << status;
    return predictions;
  }

  void ExpectError(const Columns& columns, const Rows& rows, const std::string& phrase) {
    Predictions predictions;
    const absl::Status status = predictor_.Predict(columns, rows, predictions);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(Message(status)), HasSubstr(phrase));
  }

  LoadedModel loaded_;
  Predictor predictor_;
};

bool IsSameBits(const v1::Prediction& a, const v1::Prediction& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

TEST_F(PredictorTest, ARowHasTheSameBitsAloneFirstLastAndAmongOthers) {
  const Columns columns = Named({"age", "colour"});
  Rows alone;
  AddRow(37.25, "blue", alone);
  const v1::Prediction expected = Predict(columns, alone)[0];
  for (int count = 2; count <= 200; count += 11) {
    for (const int place : {0, count / 2, count - 1}) {
      Rows rows;
      for (int i = 0; i < count; ++i) {
        i == place ? AddRow(37.25, "blue", rows) : AddRow(i, i % 2 == 0 ? "red" : "green", rows);
      }
      ASSERT_TRUE(IsSameBits(Predict(columns, rows)[place], expected)) << count << " " << place;
    }
  }
}

TEST_F(PredictorTest, RowsThatDoNotFitTheBuffersAreComputedInBlocksWithTheSameBits) {
  Rows rows;
  for (int i = 0; i < 100; ++i) {
    AddRow(i, i % 2 == 0 ? "red" : "blue", rows);
  }
  const Columns columns = Named({"age", "colour"});
  const Predictions expected = Predict(columns, rows);
  std::vector<float> x(400);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i % 13) / 8;
  }
  std::vector<float> expected_answers(200);
  ASSERT_TRUE(predictor_.Infer(100, x, expected_answers).ok());
  for (const std::int64_t bytes : {70, 200, 1'000}) {
    const Predictor small(
        loaded_.manifest.schema(), loaded_.transformer, loaded_.plan, loaded_.loss, bytes);
    EXPECT_LT(small.block_rows(), 20);
    Predictions predictions;
    ASSERT_TRUE(small.Predict(columns, rows, predictions).ok());
    ASSERT_EQ(predictions.size(), 100);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(IsSameBits(predictions[i], expected[i])) << i;
    }
    std::vector<float> answers(200);
    ASSERT_TRUE(small.Infer(100, x, answers).ok());
    EXPECT_EQ(answers, expected_answers);
  }
}

TEST_F(PredictorTest, ARowInALaterBlockIsNamedByItsPlaceInTheRequest) {
  const Predictor small(
      loaded_.manifest.schema(), loaded_.transformer, loaded_.plan, loaded_.loss, 70);
  Rows rows;
  for (int i = 0; i < 7; ++i) {
    AddRow(i, "red", rows);
  }
  rows[5].mutable_values(0)->set_text("x");
  Predictions predictions;
  EXPECT_THAT(std::string(Message(small.Predict(Named({"age", "colour"}), rows, predictions))),
              HasSubstr("rows[5]"));
}

TEST_F(PredictorTest, GivesBothProbabilitiesAndTheLabelOfTheLarger) {
  Rows rows;
  AddRow(5, "red", rows);

  const v1::Prediction prediction = Predict(Named({"age", "colour"}), rows)[0];

  ASSERT_EQ(prediction.probabilities_size(), 2);
  EXPECT_FLOAT_EQ(prediction.probabilities(0) + prediction.probabilities(1), 1);
  EXPECT_EQ(prediction.label(),
            prediction.probabilities(1) > prediction.probabilities(0) ? "yes" : "no");
  EXPECT_EQ(prediction.value(), 0);
}

TEST_F(PredictorTest, ASpellingOfMissingAnAbsentValueAndAColumnNotNamedMeanTheSame) {
  Rows spelled;
  spelled.Add()->add_values()->set_text(" N/A ");
  spelled[0].add_values()->set_text("blue");
  Rows absent;
  absent.Add()->add_values();
  absent[0].add_values()->set_text("blue");
  Rows unnamed;
  unnamed.Add()->add_values()->set_text("blue");
  Rows imputed;
  AddRow(40, "blue", imputed);

  const Columns both = Named({"age", "colour"});
  const v1::Prediction expected = Predict(both, imputed)[0];

  EXPECT_TRUE(IsSameBits(Predict(both, spelled)[0], expected));
  EXPECT_TRUE(IsSameBits(Predict(both, absent)[0], expected));
  EXPECT_TRUE(IsSameBits(Predict(Named({"colour"}), unnamed)[0], expected));
}

TEST_F(PredictorTest, ATextIsReadAsTheSameTextInAFile) {
  Rows number;
  AddRow(12.5, "red", number);
  Rows text;
  text.Add()->add_values()->set_text("12.5");
  text[0].add_values()->set_text("red");
  const Columns columns = Named({"age", "colour"});

  EXPECT_TRUE(IsSameBits(Predict(columns, number)[0], Predict(columns, text)[0]));
}

TEST_F(PredictorTest, PassesOverTheLabelAndColumnsSetAside) {
  Rows whole;
  schema::v1::Row& row = *whole.Add();
  row.add_values()->set_text("r-17");
  row.add_values()->set_text("yes");
  row.add_values()->set_number(20);
  row.add_values()->set_text("red");
  Rows features;
  AddRow(20, "red", features);

  EXPECT_TRUE(IsSameBits(Predict(Named({"row", "outcome", "age", "colour"}), whole)[0],
                         Predict(Named({"age", "colour"}), features)[0]));
}

TEST_F(PredictorTest, FollowsTheColumnsWhenTheyChangeFromCallToCall) {
  Rows one;
  AddRow(20, "red", one);
  Rows other;
  other.Add()->add_values()->set_text("red");
  other[0].add_values()->set_number(20);

  const v1::Prediction expected = Predict(Named({"age", "colour"}), one)[0];
  EXPECT_TRUE(IsSameBits(Predict(Named({"colour", "age"}), other)[0], expected));
  EXPECT_TRUE(IsSameBits(Predict(Named({"age", "colour"}), one)[0], expected));
}

TEST_F(PredictorTest, ModelsThatShareAThreadDoNotShareColumns) {
  const LoadedModel second = *LoadModel(SmallBytes(2));
  const Predictor other(second.manifest.schema(), second.transformer, second.plan, second.loss);
  Rows rows;
  AddRow(20, "red", rows);
  const Columns columns = Named({"age", "colour"});
  const v1::Prediction mine = Predict(columns, rows)[0];
  Predictions theirs;

  ASSERT_TRUE(other.Predict(columns, rows, theirs).ok());

  EXPECT_FALSE(IsSameBits(theirs[0], mine));
  EXPECT_TRUE(IsSameBits(Predict(columns, rows)[0], mine));
}

TEST_F(PredictorTest, RefusesWhatDoesNotFitAndNamesRowAndFeature) {
  Rows rows;
  AddRow(20, "red", rows);
  ExpectError(Named({"age", "color"}), rows, "no feature 'color'");
  ExpectError(Named({"age", "age"}), rows, "'age' is named twice");
  ExpectError(Named({"age"}), rows, "rows[0]");
  AddRow(std::numeric_limits<double>::infinity(), "red", rows);
  ExpectError(Named({"age", "colour"}), rows, "rows[1]");
  rows[1].mutable_values(0)->set_text("old");
  ExpectError(Named({"age", "colour"}), rows, "'age'");
}

TEST_F(PredictorTest, AnUnknownColumnNameSaysWhichItCouldBe) {
  Rows rows;
  AddRow(20, "red", rows);
  Predictions predictions;
  EXPECT_THAT(Fix(predictor_.Predict(Named({"age", "color"}), rows, predictions)),
              HasSubstr("colour"));
}

TEST_F(PredictorTest, InferGivesTheBitsOfPredictForTheSameTransformedRow) {
  Rows rows;
  AddRow(20, "red", rows);
  const v1::Prediction prediction = Predict(Named({"age", "colour"}), rows)[0];
  const std::vector<float> x = {0.25F, 0, 1, 0};
  std::vector<float> answers(2);

  ASSERT_TRUE(predictor_.Infer(1, x, answers).ok());

  EXPECT_EQ(std::memcmp(answers.data(), prediction.probabilities().data(), sizeof(float) * 2), 0);
}

TEST_F(PredictorTest, EstimatesMoreForMoreRows) {
  EXPECT_LT(predictor_.EstimateMicroseconds(1, 2), 50) << "answers inside a reactor";
  EXPECT_GT(predictor_.EstimateMicroseconds(4'096, 2), 50) << "does not";
}

class MulticlassPredictorTest : public PredictorTest {
 protected:
  MulticlassPredictorTest() : PredictorTest(schema::v1::TASK_MULTICLASS) {}
};

TEST_F(MulticlassPredictorTest, GivesAProbabilityForEachClass) {
  Rows rows;
  AddRow(20, "red", rows);

  const v1::Prediction prediction = Predict(Named({"age", "colour"}), rows)[0];

  ASSERT_EQ(prediction.probabilities_size(), 3);
  EXPECT_NEAR(
      prediction.probabilities(0) + prediction.probabilities(1) + prediction.probabilities(2),
      1,
      1e-6);
  EXPECT_THAT((std::vector<std::string>{"high", "low", "middle"}),
              testing::Contains(prediction.label()));
}

class RegressionPredictorTest : public PredictorTest {
 protected:
  RegressionPredictorTest() : PredictorTest(schema::v1::TASK_REGRESSION) {}
};

TEST_F(RegressionPredictorTest, GivesAValueAndNothingElse) {
  Rows rows;
  AddRow(20, "red", rows);

  const v1::Prediction prediction = Predict(Named({"age", "colour"}), rows)[0];

  EXPECT_EQ(prediction.label(), "");
  EXPECT_EQ(prediction.probabilities_size(), 0);
  EXPECT_NE(prediction.value(), 0);
}

}  // namespace
}  // namespace millrace::serving
