#include "services/serving/predict/predictor.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

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

  EXPECT_THAT(answers, testing::ElementsAreArray(prediction.probabilities()));
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

// A model of `columns` categories c0, c1 ... of 999 values v000, v001 ... each, missing means
// v000.
LoadedModel WideModel(int columns) {
  model::Bundle bundle = SmallBundle();
  auto& transforms = *bundle.manifest.mutable_transforms();
  transforms.clear_features();
  auto& schema = *bundle.manifest.mutable_schema();
  schema.clear_columns();
  for (int c = 0; c < columns; ++c) {
    AddColumn(fmt::format("c{}", c),
              schema::v1::COLUMN_TYPE_CATEGORY,
              schema::v1::COLUMN_ROLE_FEATURE,
              schema);
    auto& feature = *transforms.add_features();
    *feature.mutable_column() = schema.columns(c);
    feature.set_category("v000");
    for (int value = 0; value < 999; ++value) {  // and one input for others
      feature.mutable_one_hot()->add_categories(fmt::format("v{:03}", value));
    }
  }
  const std::int64_t inputs = std::int64_t{columns} * 1'000;
  transforms.set_input_count(static_cast<std::int32_t>(inputs));
  const auto network = network::Network::Create(bundle.manifest.training().network(), inputs);
  CHECK(network.ok());
  bundle.manifest.clear_tensors();
  for (const model::v1::Tensor& tensor : network->Tensors()) {
    *bundle.manifest.add_tensors() = tensor;
  }
  bundle.weights.clear();
  for (std::int64_t i = 0; i < network->parameter_count(); ++i) {
    bundle.weights.push_back(static_cast<float>((i * 7) % 11) / 800 - 0.005F);
  }
  const auto bytes = model::WriteBundle(bundle);
  CHECK(bytes.ok());
  auto model = LoadModel(*bytes);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

Predictor PredictorOf(const LoadedModel& model, std::int64_t buffer_bytes_max) {
  return {model.manifest.schema(), model.transformer, model.plan, model.loss, buffer_bytes_max};
}

Columns FirstColumn() {
  Columns columns;
  *columns.Add() = "c0";
  return columns;
}

void AddRow(int value, Rows& rows) {
  rows.Add()->add_values()->set_text(fmt::format("v{:03}", value % 1'000));
}

Predictions PredictRows(const Predictor& predictor, int count) {
  Rows rows;
  for (int row = 0; row < count; ++row) {
    AddRow(row * 37, rows);
  }
  Predictions predictions;
  EXPECT_TRUE(predictor.Predict(FirstColumn(), rows, predictions).ok());
  return predictions;
}

TEST(PredictorBlocksTest, BlocksOfAnySizeGiveTheSameBits) {
  const LoadedModel model = WideModel(2);
  const Predictor whole = PredictorOf(model, Predictor::kBufferBytesMax);
  const Predictions expected = PredictRows(whole, 300);
  ASSERT_GT(whole.block_rows(), 300) << "one block";

  for (const std::int64_t bytes : {9'000, 60'000, 1'000'000}) {
    const Predictor blocks = PredictorOf(model, bytes);
    EXPECT_LT(blocks.block_rows(), 300);
    const Predictions predictions = PredictRows(blocks, 300);
    ASSERT_EQ(predictions.size(), 300);
    for (int row = 0; row < 300; ++row) {
      ASSERT_EQ(predictions[row].SerializeAsString(), expected[row].SerializeAsString()) << row;
    }
  }
}

TEST(PredictorBlocksTest, TransformedRowsGetTheSameBitsInBlocks) {
  const LoadedModel model = WideModel(1);
  std::vector<float> x(50'000);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i % 13) / 8;
  }
  std::vector<float> whole(100);
  std::vector<float> blocks(100);

  ASSERT_TRUE(PredictorOf(model, Predictor::kBufferBytesMax).Infer(50, x, whole).ok());
  ASSERT_TRUE(PredictorOf(model, 13'000).Infer(50, x, blocks).ok());

  EXPECT_EQ(whole, blocks);
}

TEST(PredictorBlocksTest, AnErrorInALaterBlockNamesTheRowOfTheRequest) {
  const LoadedModel model = WideModel(1);
  const Predictor predictor = PredictorOf(model, 13'000);
  Rows rows;
  for (int row = 0; row < 8; ++row) {
    AddRow(row, rows);
  }
  rows[7].add_values()->set_text("too many");
  Predictions predictions;

  const absl::Status status = predictor.Predict(FirstColumn(), rows, predictions);

  EXPECT_THAT(std::string(Message(status)), HasSubstr("rows[7]"));
}

TEST(PredictorBlocksTest, ARowThatDoesNotFitIsRefusedWithItsBytes) {
  const LoadedModel model = WideModel(1);
  Rows rows;
  AddRow(1, rows);
  Predictions predictions;
  const std::vector<float> x(1'000);
  std::vector<float> answers(2);
  const Predictor predictor = PredictorOf(model, 3'000);

  for (const absl::Status& status :
       {predictor.Predict(FirstColumn(), rows, predictions), predictor.Infer(1, x, answers)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr("3000 bytes"));
    EXPECT_THAT(Fix(status), HasSubstr("limits.compute_bytes_max"));
  }
}

// 1,000 inputs, 5 units twice, 1 output and 2 answers.
TEST(PredictorBlocksTest, TheLimitHoldsToTheByte) {
  const LoadedModel model = WideModel(1);
  Rows rows;
  AddRow(1, rows);
  Predictions predictions;
  constexpr std::int64_t kRowBytes = std::int64_t{1'013} * 4;

  EXPECT_FALSE(PredictorOf(model, kRowBytes - 1).Predict(FirstColumn(), rows, predictions).ok());
  EXPECT_TRUE(PredictorOf(model, kRowBytes).Predict(FirstColumn(), rows, predictions).ok());
  EXPECT_EQ(PredictorOf(model, 2 * kRowBytes - 1).block_rows(), 1);
  EXPECT_EQ(PredictorOf(model, 2 * kRowBytes).block_rows(), 2);
}

std::int64_t AddressBytes() {
  std::int64_t pages = 0;
  if (std::FILE* const file = std::fopen("/proc/self/statm", "r"); file != nullptr) {
    long long first = 0;
    pages = std::fscanf(file, "%lld", &first) == 1 ? first : 0;
    std::fclose(file);
  }
  return pages * 4'096;
}

// Answers of `rows` rows in `room` bytes more than the process has; 0 when they are right.
int PredictIn(const Predictor& predictor, int rows, std::int64_t room) {
  const std::string alone = PredictRows(predictor, 1)[0].SerializeAsString();
  const auto most = static_cast<rlim_t>(AddressBytes() + room);
  const rlimit low{.rlim_cur = most, .rlim_max = most};
  setrlimit(RLIMIT_AS, &low);
  const Predictions predictions = PredictRows(predictor, rows);
  const bool right = predictions.size() == rows && predictions[0].SerializeAsString() == alone &&
                     predictions[rows - 1].probabilities_size() == 2;
  return right ? 0 : 1;
}

// A limit that was lowered stays low, so a child process predicts.
TEST(PredictorBlocksTest, AWideModelAnswersManyRowsInLittleMemory) {
  const LoadedModel model = WideModel(200);
  const Predictor predictor = PredictorOf(model, Predictor::kBufferBytesMax);
  for (const int rows : {512, 4'096}) {  // 400 MiB and 3 GiB at once
    EXPECT_EXIT(std::_Exit(PredictIn(predictor, rows, std::int64_t{256} << 20)),
                testing::ExitedWithCode(0),
                "");
  }
}

// Memory that a large prediction took is there for others: the thread keeps little of it.
TEST(PredictorBlocksTest, BuffersAreGivenBack) {
  if (dlsym(RTLD_DEFAULT, "__asan_init") != nullptr) {
    GTEST_SKIP() << "AddressSanitizer keeps freed memory";
  }
  const LoadedModel model = WideModel(200);
  const Predictor predictor = PredictorOf(model, Predictor::kBufferBytesMax);
  PredictRows(predictor, 1);
  const std::int64_t before = AddressBytes();

  PredictRows(predictor, 512);

  EXPECT_LT(AddressBytes() - before, std::int64_t{16} << 20);
}

}  // namespace
}  // namespace millrace::serving
