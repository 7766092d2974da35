// No skew: a cell without a value means in a prediction what it meant at import.

#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/raw_table.h"

namespace millrace::integration {
namespace {

using testing::HasSubstr;

constexpr std::array<const char*, 4> kSpellings{"N/A", "", "?", "NA"};
constexpr const char* kGappy = "mean texture";  // where every third cell is blank

class MissingTest : public LocalServicesTest {
 protected:
  // The breast cancer file with every third cell of one column without a value, in turns spelled
  // each way.
  static RawTable TableWithGaps() {
    RawTable table = ParseTable(ReadFile("tests/data/breast_cancer.csv"));
    const std::size_t column = table.IndexOf(kGappy);
    for (std::size_t row = 0; row < table.rows.size(); row += 3) {
      table.rows[row][column] = kSpellings[row / 3 % kSpellings.size()];
    }
    return table;
  }

  static Trained TrainOn(const RawTable& table,
                         const std::string& name,
                         const std::vector<std::string>& missing_spellings = {}) {
    auto pipeline = ReadExample("breast_cancer.yaml").value();
    auto header = HeaderOf(name, "gaps.csv", "diagnosis");
    *header.mutable_options() = pipeline.dataset().options();
    header.mutable_options()->mutable_missing_spellings()->Assign(missing_spellings.begin(),
                                                                  missing_spellings.end());
    Trained trained;
    trained.version = Import(clients().data(), header, ToCsv(table)).value();
    trained.run =
        Train(clients().training(), RunRequest(trained.version.name(), name, pipeline.training()))
            .value();
    EXPECT_EQ(trained.run.state(), training::v1::Run::STATE_SUCCEEDED) << trained.run.failure();
    return trained;
  }

  // The table with one row only: the one whose answer is least certain, so that a cell can be seen
  // to matter.
  static RawTable DoubtfulRow(const std::string& model, RawTable table) {
    const auto response =
        Call(clients().serving(), &ServingStub::Predict, RequestOf(model, table)).value();
    float least = 1;
    std::vector<std::string> doubtful;
    for (int row = 0; row < response.predictions_size(); ++row) {
      const float doubt = std::abs(response.predictions(row).probabilities(0) - 0.5F);
      if (doubt < least) {
        least = doubt;
        doubtful = table.rows[static_cast<std::size_t>(row)];
      }
    }
    table.rows = {doubtful};
    return table;
  }

  // A request for the table's only row, with `cell` in the column that has gaps.
  static serving::v1::PredictRequest OneRow(const std::string& model,
                                            const RawTable& table,
                                            const schema::v1::Value& cell) {
    auto request = RequestOf(model, table);
    *request.mutable_rows(0)->mutable_values(static_cast<int>(table.IndexOf(kGappy))) = cell;
    return request;
  }

  static schema::v1::Value Text(const std::string& text) {
    schema::v1::Value value;
    value.set_text(text);
    return value;
  }

  static std::string BitsOf(const serving::v1::PredictRequest& request) {
    return PredictBits(clients().serving(), request).value().at(0);
  }
};

TEST_F(MissingTest, EverySpellingOfNoValueGivesTheBitsOfLeavingTheFeatureOut) {
  const std::string model = TrainOn(TableWithGaps(), "gaps").run.model();
  const RawTable row = DoubtfulRow(model, TableWithGaps());
  RawTable without = row;
  const auto column = static_cast<std::ptrdiff_t>(row.IndexOf(kGappy));
  without.columns.erase(without.columns.begin() + column);
  without.rows[0].erase(without.rows[0].begin() + column);

  const std::string expected = BitsOf(RequestOf(model, without));
  for (const char* const spelling : kSpellings) {
    EXPECT_EQ(BitsOf(OneRow(model, row, Text(spelling))), expected) << spelling;
  }
  for (const char* const spelling : {" n/a ", "nan", "NULL", "None", "-", "missing"}) {
    EXPECT_EQ(BitsOf(OneRow(model, row, Text(spelling))), expected) << spelling;
  }
  EXPECT_EQ(BitsOf(OneRow(model, row, schema::v1::Value())), expected);
  // And a value is not the same as none.
  EXPECT_NE(BitsOf(OneRow(model, row, Text("39.28"))), expected);
}

TEST_F(MissingTest, ANumberIsTheSameAsItsText) {
  const std::string model = TrainOn(TableWithGaps(), "numbers").run.model();
  const RawTable row = DoubtfulRow(model, TableWithGaps());
  schema::v1::Value number;
  number.set_number(17.77);
  EXPECT_EQ(BitsOf(OneRow(model, row, number)), BitsOf(OneRow(model, row, Text("17.77"))));
  EXPECT_EQ(BitsOf(OneRow(model, row, number)), BitsOf(OneRow(model, row, Text(" 1.777e1"))));
  EXPECT_NE(BitsOf(OneRow(model, row, number)), BitsOf(OneRow(model, row, Text("27.77"))));
}

// The tensors of ReadExamples are what the network was trained on; the raw cells are what a client
// has. Both must give the same answer, for rows with gaps as for others.
TEST_F(MissingTest, RawRowsWithGapsAnswerAsTheTensorsThatWereTrainedOn) {
  const RawTable table = TableWithGaps();
  const Trained trained = TrainOn(table, "tensors");
  for (const auto split :
       {schema::v1::SPLIT_TRAIN, schema::v1::SPLIT_VALIDATION, schema::v1::SPLIT_TEST}) {
    const auto examples =
        ReadSplit(clients().data(), SplitRequest(trained.version.name(), split)).value();
    const auto rows = RowsOfExamples(trained.version.transforms(), table, examples).value();
    const auto raw =
        Call(
            clients().serving(), &ServingStub::Predict, RequestOf(trained.run.model(), table, rows))
            .value();
    const auto tensors = InferRaw(clients().inference(), "tensors", examples.x).value();
    ASSERT_EQ(tensors.size(), 2 * rows.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const auto& p = raw.predictions(static_cast<int>(row)).probabilities();
      EXPECT_EQ(p[0], tensors[2 * row]) << "row " << rows[row];
      EXPECT_EQ(p[1], tensors[2 * row + 1]) << "row " << rows[row];
    }
  }
}

TEST_F(MissingTest, OnlyTheSpellingsOfTheImportMeanNoValue) {
  RawTable table = TableWithGaps();
  for (std::vector<std::string>& cells : table.rows) {
    for (std::string& cell : cells) {
      if (cell.empty() || cell == "?" || cell == "NA" || cell == "N/A") {
        cell = "absent";
      }
    }
  }
  const std::string model = TrainOn(table, "own_spelling", {"absent"}).run.model();
  const RawTable row = DoubtfulRow(model, table);
  EXPECT_EQ(BitsOf(OneRow(model, row, Text("absent"))),
            BitsOf(OneRow(model, row, schema::v1::Value())));
  EXPECT_EQ(BitsOf(OneRow(model, row, Text("Absent "))),
            BitsOf(OneRow(model, row, schema::v1::Value())));
  for (const char* const spelling : {"N/A", "?", "NA"}) {
    const absl::Status status =
        PredictBits(clients().serving(), OneRow(model, row, Text(spelling))).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(Message(status)), HasSubstr("rows[0]: column 'mean texture' is"));
    EXPECT_THAT(std::string(Message(status)), HasSubstr(spelling));
  }
}

TEST_F(MissingTest, TheSameGapsSpelledInAnotherWayGiveTheSameTransformsAndSplits) {
  const RawTable table = TableWithGaps();
  RawTable blanked = table;
  for (std::size_t row = 0; row < blanked.rows.size(); row += 3) {
    blanked.rows[row][blanked.IndexOf(kGappy)] = "none";
  }
  const Trained one = TrainOn(table, "spelled_one_way");
  const Trained other = TrainOn(blanked, "spelled_another_way");
  EXPECT_EQ(BytesOf(one.version.transforms()), BytesOf(other.version.transforms()));
  EXPECT_EQ(one.run.weights_sha256(), other.run.weights_sha256());
}

}  // namespace
}  // namespace millrace::integration
