#include "clients/cli/figures.h"

#include <string>

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
  const std::string lines = LineageTable(SampleLineage());
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
