#include "clients/cli/figures.h"

#include <sstream>
#include <string>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <google/protobuf/repeated_ptr_field.h>
#include <gtest/gtest.h>

#include "millrace/model/v1/evaluation.pb.h"
#include "millrace/model/v1/network.pb.h"

#include "tests/unit/clients/cli/samples.h"

namespace millrace::cli {
namespace {

using google::protobuf::RepeatedPtrField;
using model::v1::Evaluation;
using testing::HasSubstr;
using testing::Not;

TEST(FiguresTest, OnlyTheFiguresThatSomeSplitHasAreShown) {
  RepeatedPtrField<Evaluation> evaluations;
  *evaluations.Add() = SampleEvaluation();
  Evaluation& validation = *evaluations.Add();
  validation.set_split(schema::v1::SPLIT_VALIDATION);
  validation.set_example_count(22);
  validation.set_loss(0.5);
  validation.set_roc_auc(0.875);
  EXPECT_EQ(EvaluationTable(evaluations),
            "SPLIT       EXAMPLES    LOSS  ACCURACY  ROC-AUC\n"
            "test              23  0.0931    0.9565        -\n"
            "validation        22  0.5000         -   0.8750\n");
}

TEST(FiguresTest, AFigureOfZeroIsStillOne) {
  RepeatedPtrField<Evaluation> evaluations;
  evaluations.Add()->set_r_squared(0);
  EXPECT_THAT(EvaluationTable(evaluations), HasSubstr("R2\n"));
}

TEST(FiguresTest, NoEvaluationsAreNoTable) {
  EXPECT_EQ(EvaluationTable({}), "");
}

TEST(FiguresTest, TheConfusionHasTrueClassesDown) {
  EXPECT_EQ(ConfusionTable(SampleEvaluation(), {"setosa", ">virginica"}),
            "TRUE \\ PREDICTED  setosa  >virginica\n"
            "setosa                11           1\n"
            ">virginica             0          11\n");
}

TEST(FiguresTest, AConfusionThatDoesNotFitIsLeftOut) {
  EXPECT_EQ(ConfusionTable(SampleEvaluation(), {}), "");
  EXPECT_EQ(ConfusionTable(SampleEvaluation(), {"a", "b", "c"}), "");
  EXPECT_EQ(ConfusionTable(Evaluation(), {"a", "b"}), "");
}

TEST(FiguresTest, LineageGoesFromTheModelToTheFile) {
  const std::string lines = LineageTable(SampleLineage(), {.wide = true});
  EXPECT_EQ(lines,
            "model     iris@3     sha256:" + std::string(64, 'b') +
                "\n"
                "run       amber-owl  weights sha256:" +
                std::string(64, 'w') +
                "\n"
                "dataset   iris@1     sha256:" +
                std::string(64, 'd') +
                "\n"
                "file      iris.csv   sha256:" +
                std::string(64, 'f') +
                "\n"
                "built by  0.1.0      avx2\n");
}

TEST(FiguresTest, LineageShortensDigestsForPeople) {
  EXPECT_THAT(LineageTable(SampleLineage()),
              HasSubstr("model     iris@3     sha256:bbbbbbbbbbbb\n"));
}

TEST(FiguresTest, AConfusionThatIsTooWideIsALineAClass) {
  constexpr int kClasses = 19;
  Evaluation evaluation;
  std::vector<std::string> classes;
  for (int row = 0; row < kClasses; ++row) {
    classes.push_back(fmt::format("a class with a long name {}", row));
    for (int column = 0; column < kClasses; ++column) {
      evaluation.add_confusion(row == column ? 50 : row == 0 ? column : 0);
    }
  }
  const std::string table = ConfusionTable(evaluation, classes, {.columns = 80});
  EXPECT_THAT(table,
              HasSubstr("TRUE CLASS                   EXAMPLES  RIGHT  TAKEN FOR\n"
                        "a class with a long name 0        221     50  a class with a long name 18 "
                        "18,"));
  EXPECT_THAT(table, HasSubstr("a class with a long name 5         50     50  -\n"));
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
  EXPECT_THAT(ConfusionTable(evaluation, classes), HasSubstr("PREDICTED"));
}

TEST(FiguresTest, AModelThatIsNotYetNamedHasNoLine) {
  model::v1::Lineage lineage = SampleLineage();
  lineage.clear_model_version();
  EXPECT_THAT(LineageTable(lineage), Not(HasSubstr("model")));
}

TEST(FiguresTest, ANetworkIsALineOfItsLayers) {
  model::v1::NetworkSpec network = SampleSpec().network();
  EXPECT_EQ(NetworkLine(network), "16 tanh, dropout 0.2, 2");
  network.add_layers()->set_activation(model::v1::ACTIVATION_SOFTMAX);
  network.add_layers();
  EXPECT_EQ(NetworkLine(network), "16 tanh, dropout 0.2, 2, softmax, nothing");
  EXPECT_EQ(NetworkLine({}), "");
}

}  // namespace
}  // namespace millrace::cli
