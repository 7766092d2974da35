#include "clients/cli/predict.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/figures.h"
#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/clients/cli/samples.h"

namespace millrace::cli {
namespace {

using serving::v1::ModelVersion;
using serving::v1::Prediction;
using serving::v1::PredictRequest;
using serving::v1::PredictResponse;
using testing::ElementsAre;
using testing::HasSubstr;

// Answers setosa for every row, and keeps what it was asked.
class PredictTest : public CommandTest {
 protected:
  PredictTest() {
    serving_.get_model = [this](const serving::v1::GetModelRequest& request, ModelVersion& model) {
      if (request.name() != "models/iris") {
        return NotFound("there is no model '{}'", request.name());
      }
      model = model_;
      return absl::OkStatus();
    };
    serving_.predict = [this](const PredictRequest& request, PredictResponse& response) {
      requests_.push_back(request);
      *response.mutable_lineage() = SampleLineage();
      *response.mutable_classes() = model_.manifest().transforms().label().classes();
      for (int i = 0; i < request.rows_size(); ++i) {
        Prediction& prediction = *response.add_predictions();
        prediction.set_label("setosa");
        prediction.add_probabilities(0.875F);
        prediction.add_probabilities(0.125F);
      }
      return absl::OkStatus();
    };
  }

  // Cells of the only row that was asked about.
  std::vector<std::string> Cells() {
    std::vector<std::string> cells;
    if (requests_.size() == 1 && requests_[0].rows_size() == 1) {
      for (const auto& value : requests_[0].rows(0).values()) {
        cells.push_back(value.text());
      }
    }
    return cells;
  }

  ModelVersion model_ = SampleModel();
  std::vector<PredictRequest> requests_;
};

TEST_F(PredictTest, AProgramGetsRowsAloneAndTheRestIsSaid) {
  piped_ = true;
  const CommandResult result = Command({"predict", "iris", "petal width (cm)=1.9"});
  EXPECT_EQ(result.out, "1\tsetosa\t0.8750\n");
  EXPECT_EQ(result.err, "\n" + LineageTable(SampleLineage(), {.wide = true}));
}

TEST_F(PredictTest, WordsAreOneRow) {
  const CommandResult result = Command({"predict", "iris", "petal width (cm)=1.9", "a=N/A"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out,
            "ROW  PREDICTED  PROBABILITY\n"
            "  1  setosa          0.8750\n"
            "\n" +
                LineageTable(SampleLineage()));
  EXPECT_EQ(result.err, "");
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].model(), "models/iris/versions/3");  // the one that was found first
  EXPECT_THAT(requests_[0].columns(), ElementsAre("petal width (cm)", "a"));
  EXPECT_THAT(Cells(), ElementsAre("1.9", "N/A"));
}

TEST_F(PredictTest, ANameMayHaveAnEqualsSign) {
  ASSERT_EQ(Command({"predict", "iris", "a=b=1", "a=c=2", "d=e=3"}).exit, Exit::kDone);
  EXPECT_THAT(requests_[0].columns(), ElementsAre("a=b", "a", "d"));
  EXPECT_THAT(Cells(), ElementsAre("1", "c=2", "e=3"));
}

TEST_F(PredictTest, WordsArriveAsTheyAre) {
  ASSERT_EQ(Command({"predict", "iris", "a=", "[b]=[c,d]", "up=x", "--", "-e=-1"}).exit,
            Exit::kDone);
  EXPECT_THAT(requests_[0].columns(), ElementsAre("a", "[b]", "up", "-e"));
  EXPECT_THAT(Cells(), ElementsAre("", "[c,d]", "x", "-1"));
}

TEST_F(PredictTest, WordsThatMakeNoSenseAreUsageErrors) {
  StopServer(serving_server_);  // found out before anything is called
  EXPECT_THAT(
      Command({"predict", "iris"}),
      FailsWith(Exit::kUsage, "give either FEATURE=VALUE words or --in FILE or --dataset DATASET"));
  EXPECT_THAT(Command({"predict", "iris", "a=1", "--in=x.csv"}),
              FailsWith(Exit::kUsage, "fix: 'millrace model show iris' lists the features"));
  EXPECT_THAT(Command({"predict", "iris", "a"}),
              FailsWith(Exit::kUsage, "expected FEATURE=VALUE, found 'a'"));
  EXPECT_THAT(Command({"predict", "iris", "=1"}), FailsWith(Exit::kUsage, "found '=1'"));
  for (const char* const delimiter : {"", "ab", "\"", "\n"}) {
    EXPECT_THAT(Command({"predict", "iris", "--in=x.csv", "--delimiter", delimiter}),
                FailsWith(Exit::kUsage, "--delimiter must be one character"));
  }
}

TEST_F(PredictTest, AFileIsAskedRowByRowAndComparedWithItsLabels) {
  const std::string file = File("rows.csv", "a;species\n1; setosa \n2;virginica\n");
  const CommandResult result = Command({"predict", "iris", "--in", file, "--delimiter=;"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out,
            "ROW  PREDICTED  PROBABILITY  ACTUAL\n"
            "  1  setosa          0.8750  setosa\n"
            "  2  setosa          0.8750  virginica\n"
            "as in column 'species': 1 of 2; no score where the model was trained on such rows "
            "('millrace model show' has its figures)\n"
            "\n" +
                LineageTable(SampleLineage()));
  EXPECT_THAT(requests_[0].columns(), ElementsAre("a", "species"));
  EXPECT_EQ(requests_[0].rows(0).values(1).text(), " setosa ");  // as it stands there
}

TEST_F(PredictTest, AsJsonTheAnswersAreWhole) {
  const auto json = Command({"predict", "iris", "a=1", "-ojson"}).Json();
  EXPECT_EQ(json["predictions"][0]["label"], "setosa");
  EXPECT_EQ(json["predictions"][0]["probabilities"][0], 0.875);
  EXPECT_EQ(json["lineage"]["run"], "runs/amber-owl");
}

TEST_F(PredictTest, BatchesAreOneDocumentInEveryForm) {
  std::string text = "a\n";
  for (int i = 0; i < 1500; ++i) {
    text += "1\n";
  }
  const std::string file = File("rows.csv", text);
  const auto json = Command({"predict", "iris", "--in", file, "-ojson"}).Json();
  EXPECT_EQ(json["predictions"].size(), 1500U);
  EXPECT_EQ(json["lineage"]["run"], "runs/amber-owl");
  const std::string yaml = Command({"predict", "iris", "--in", file, "-oyaml"}).out;
  EXPECT_THAT(yaml, HasSubstr("\npredictions:\n- label: setosa\n  probabilities:\n    - 0.875\n"));
  EXPECT_EQ(Command({"predict", "iris", "--in", file, "-oname"}).out,
            SampleLineage().model_version() + "\n");
  const std::string table = Command({"predict", "iris", "--in", file}).out;
  EXPECT_THAT(table, HasSubstr("\n1500  setosa          0.8750\n\n"));
  EXPECT_EQ(table.find("PREDICTED"), table.rfind("PREDICTED"));  // headings stand once
}

TEST_F(PredictTest, ObjectsAreRowsToo) {
  ASSERT_EQ(Command({"predict", "iris", "--in", File("rows.json", R"([{"a": 1, "b": "x"}])")}).exit,
            Exit::kDone);
  EXPECT_THAT(requests_[0].columns(), ElementsAre("a", "b"));
  EXPECT_THAT(Cells(), ElementsAre("1", "x"));
}

TEST_F(PredictTest, ARegressionHasAValue) {
  model_.mutable_manifest()->mutable_transforms()->mutable_label()->clear_classes();
  serving_.predict = [](const PredictRequest& request, PredictResponse& response) {
    for (int i = 0; i < request.rows_size(); ++i) {
      response.add_predictions()->set_value(12.3456F);
    }
    return absl::OkStatus();
  };
  EXPECT_THAT(Command({"predict", "iris", "--in", File("rows.csv", "a,species\n1,12.5\n")}).out,
              testing::StartsWith("ROW  PREDICTED  ACTUAL\n"
                                  "  1  12.35      12.5\n\n"));
}

// Goal: no message is larger than gRPC lets through (4 MiB), however many small cells rows have.
TEST_F(PredictTest, ManyRowsAreAskedInBatchesThatFitAMessage) {
  std::string text;
  std::string row;
  for (int column = 0; column < 900; ++column) {
    text += (column == 0 ? "p" : ",p") + std::to_string(column);
    row += column == 0 ? "0" : ",0";
  }
  text += "\n";
  for (int i = 0; i < 1100; ++i) {
    text += row + "\n";
  }
  const CommandResult result =
      Command({"predict", "iris", "--in", File("rows.csv", text), "-ojson"});
  ASSERT_EQ(result.exit, Exit::kDone) << result.err;
  EXPECT_EQ(result.Json()["predictions"].size(), 1100U);
  EXPECT_THAT(result.err, HasSubstr("predicting  100 %  1100 rows\n"));
  EXPECT_GT(requests_.size(), 1U);
  for (const PredictRequest& request : requests_) {
    EXPECT_LT(request.ByteSizeLong(), std::size_t{2} << 20);
  }
}

TEST_F(PredictTest, RowsOfManyClassesAreAskedInSmallerBatches) {
  schema::v1::LabelTransform& label =
      *model_.mutable_manifest()->mutable_transforms()->mutable_label();
  for (int i = 0; i < 2000; ++i) {
    label.add_classes("class " + std::to_string(i));
  }
  std::string text = "a\n";
  for (int i = 0; i < 500; ++i) {
    text += "1\n";
  }
  ASSERT_EQ(Command({"predict", "iris", "--in", File("rows.csv", text)}).exit, Exit::kDone);
  for (const PredictRequest& request : requests_) {
    EXPECT_LE(request.rows_size(), 132);  // of 2002 probabilities each: 1 MiB
  }
}

TEST_F(PredictTest, ARowThatIsRefusedIsCountedFromOneOverAllBatches) {
  serving_.predict = [this](const PredictRequest& request, PredictResponse& response) {
    requests_.push_back(request);
    if (requests_.size() == 2) {
      return WithFix(InvalidArgument("rows[3] is no number"), "give a number");
    }
    for (int i = 0; i < request.rows_size(); ++i) {
      response.add_predictions();
    }
    return absl::OkStatus();
  };
  std::string text = "a\n";
  for (int i = 0; i < 1500; ++i) {
    text += "1\n";
  }
  EXPECT_THAT(Command({"predict", "iris", "--in", File("rows.csv", text)}).err,
              HasSubstr("error: row 1028 is no number\n"
                        "code: INVALID_ARGUMENT (exit 5), request "));
}

TEST_F(PredictTest, TheRowOfTheWordsIsNoFieldOfARequest) {
  serving_.predict = [](const PredictRequest&, PredictResponse&) {
    return InvalidArgument("rows[0]: column 'a' is a finite number, found 'b'");
  };
  EXPECT_THAT(Command({"predict", "iris", "a=b"}).err,
              HasSubstr("error: row 1: column 'a' is a finite number, found 'b'\n"));
}

TEST_F(PredictTest, AnAnswerForAnotherNumberOfRowsIsNotBelieved) {
  serving_.predict = [](const PredictRequest&, PredictResponse& response) {
    response.add_predictions();
    response.add_predictions();
    return absl::OkStatus();
  };
  EXPECT_THAT(Command({"predict", "iris", "a=1"}),
              FailsWith(Exit::kFailed, "must answer each of 1 rows, found 2 answers"));
}

TEST_F(PredictTest, FilesThatCannotBeReadSaySo) {
  EXPECT_THAT(Command({"predict", "iris", "--in=none.csv"}),
              FailsWith(Exit::kNotFound, "there is no file 'none.csv'"));
  EXPECT_THAT(Command({"predict", "iris", "--in", File("empty.csv", "")}),
              FailsWith(Exit::kInvalid, "empty.csv is empty"));
  EXPECT_THAT(Command({"predict", "iris", "--in", File("ragged.csv", "a,b\n1\n")}),
              FailsWith(Exit::kInvalid, "ragged.csv:2"));
}

TEST_F(PredictTest, AnUnknownModelIsNotFound) {
  EXPECT_THAT(Command({"predict", "irs", "a=1"}),
              FailsWith(Exit::kNotFound, "there is no model 'models/irs'"));
}

TEST_F(PredictTest, AServiceThatIsDownSaysWhatToDo) {
  StopServer(serving_server_);
  EXPECT_THAT(Command({"predict", "iris", "a=1"}),
              FailsWith(Exit::kTryAgain, "fix: 'millrace up' starts it; --serving-address"));
}

}  // namespace
}  // namespace millrace::cli
