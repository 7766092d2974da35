#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/pipeline/v1/pipeline.pb.h"

#include "common/config/config.h"
#include "common/status/status.h"

namespace millrace::config {
namespace {

using pipeline::v1::PipelineSpec;
using testing::ElementsAre;
using testing::HasSubstr;

PipelineSpec Filled(const std::string& yaml) {
  PipelineSpec spec;
  const absl::Status status = FillFromYaml("p.yaml", yaml, spec);
  EXPECT_TRUE(status.ok()) << status;
  return spec;
}

absl::Status Failure(const std::string& yaml) {
  PipelineSpec spec;
  spec.set_model("before");
  const absl::Status status = FillFromYaml("p.yaml", yaml, spec);
  EXPECT_EQ(spec.ShortDebugString(), "model: \"before\"") << "nothing is changed";
  return status;
}

void ExpectFailure(const std::string& yaml, const std::string& phrase) {
  const absl::Status status = Failure(yaml);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << yaml;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(phrase));
}

TEST(YamlTest, ReadsAWholePipeline) {
  const PipelineSpec spec = Filled(R"(
# A comment.
dataset:
  name: iris
  file: iris.csv
  options:
    label: species
    header: present
    missing_spellings: [NA, -999, "null", '']
    column_types: {a: integer, "b c": category}
    keep_duplicates: true
    train_fraction: .5
model: flowers
training:
  network:
    layers:
      - dense: {units: 10, activation: leaky_relu, initializer: he_normal}
      - dropout: {rate: 0.5}
      - activation: relu
      - dropout
  loss: categorical_crossentropy
  optimizer:
    sgd: {learning_rate: 0.1, nesterov: true}
  epochs: 100
  seed: -9223372036854775808
  early_stopping: {patience: 3}
)");

  const auto& options = spec.dataset().options();
  EXPECT_EQ(options.header(), data::v1::ImportOptions::HEADER_PRESENT);
  EXPECT_THAT(options.missing_spellings(), ElementsAre("NA", "-999", "null", ""));
  EXPECT_EQ(options.column_types().at("a"), schema::v1::COLUMN_TYPE_INTEGER);
  EXPECT_EQ(options.column_types().at("b c"), schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(options.column_types_size(), 2);
  EXPECT_TRUE(options.keep_duplicates());
  EXPECT_EQ(options.train_fraction(), 0.5);
  const auto& training = spec.training();
  ASSERT_EQ(training.network().layers_size(), 4);
  EXPECT_EQ(training.network().layers(0).dense().units(), 10);
  EXPECT_EQ(training.network().layers(0).dense().activation(), model::v1::ACTIVATION_LEAKY_RELU);
  EXPECT_EQ(training.network().layers(0).dense().initializer(), model::v1::INITIALIZER_HE_NORMAL);
  EXPECT_EQ(training.network().layers(1).dropout().rate(), 0.5);
  EXPECT_EQ(training.network().layers(2).activation(), model::v1::ACTIVATION_RELU);
  EXPECT_TRUE(training.network().layers(3).has_dropout());
  EXPECT_EQ(training.loss(), model::v1::LOSS_CATEGORICAL_CROSSENTROPY);
  EXPECT_EQ(training.optimizer().sgd().learning_rate(), 0.1);
  EXPECT_TRUE(training.optimizer().sgd().nesterov());
  EXPECT_EQ(training.seed(), INT64_MIN);
  EXPECT_EQ(training.early_stopping().patience(), 3);
}

TEST(YamlTest, AChoiceMayBeABareWord) {
  EXPECT_TRUE(Filled("training: {optimizer: adam}").training().optimizer().has_adam());
  EXPECT_TRUE(Filled("training: {optimizer: rmsprop}").training().optimizer().has_rmsprop());
}

TEST(YamlTest, AnEmptyDocumentChangesNothing) {
  PipelineSpec spec;
  spec.set_model("before");

  EXPECT_TRUE(FillFromYaml("p.yaml", "", spec).ok());
  EXPECT_TRUE(FillFromYaml("p.yaml", "# only a comment\n", spec).ok());
  EXPECT_EQ(spec.model(), "before");
}

TEST(YamlTest, WhatIsNotGivenStaysAndListsAreReplaced) {
  PipelineSpec spec = Filled("model: a\ndataset: {name: b, options: {drop_columns: [x, y]}}");

  ASSERT_TRUE(FillFromYaml("p.yaml", "dataset: {options: {drop_columns: [z]}}", spec).ok());

  EXPECT_EQ(spec.model(), "a");
  EXPECT_EQ(spec.dataset().name(), "b");
  EXPECT_THAT(spec.dataset().options().drop_columns(), ElementsAre("z"));
}

TEST(YamlTest, AnUnknownKeyHasItsPlaceAndTheClosestKnownOne) {
  const absl::Status status = Failure("model: a\ntraining:\n  epoch: 10\n");

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status), "p.yaml:3:3: unknown key 'epoch' in training");
  EXPECT_EQ(Fix(status), "did you mean 'epochs'?");

  EXPECT_EQ(Message(Failure("zzz: 1")), "p.yaml:1:1: unknown key 'zzz'");
  EXPECT_EQ(Fix(Failure("zzz: 1")), "known are: dataset, model, training");
}

TEST(YamlTest, AWrongValueHasItsPlaceAndWhatWasExpected) {
  const absl::Status loss = Failure("training: {loss: hubr}");
  EXPECT_THAT(std::string(Message(loss)),
              HasSubstr("p.yaml:1:18: training.loss must be one of binary_crossentropy"));
  EXPECT_EQ(Fix(loss), "did you mean 'huber'?");

  ExpectFailure("training: {epochs: ten}",
                "p.yaml:1:20: training.epochs must be a whole number in [-2147483648, 2147483647]");
  ExpectFailure("training: {epochs: 2147483648}", "found '2147483648'");
  ExpectFailure("training: {epochs: [1]}", "training.epochs must be a whole number");
  ExpectFailure("training: {epochs: [1]}", "found a list");
  ExpectFailure("training: {epochs: }", "found nothing");
  ExpectFailure("training: {epochs: ~}", "found nothing");
  ExpectFailure("training: 7", "training must be a mapping of keys and values, found a value '7'");
  ExpectFailure("- 1", "the document must be a mapping of keys and values, found a list");
  ExpectFailure("dataset: {options: {drop_columns: a}}",
                "dataset.options.drop_columns must be a list, found a value 'a'");
  ExpectFailure("dataset: {options: {drop_columns: [a, [b]]}}",
                "dataset.options.drop_columns[1] must be a text of UTF-8, found a list");
  ExpectFailure("dataset: {options: {column_types: {a: number}}}",
                "dataset.options.column_types['a'] must be one of boolean, integer, real");
  ExpectFailure("training: {network: {layers: [{dense: {units: many}}]}}",
                "training.network.layers[0].dense.units must be a whole number");
}

TEST(YamlTest, KeysAreNotRepeated) {
  ExpectFailure("model: a\nmodel: b", "p.yaml:2:1: key 'model' is repeated");
  ExpectFailure("dataset: {options: {column_types: {a: integer, a: real}}}",
                "key 'a' is repeated in dataset.options.column_types");
  ExpectFailure("[a, b]: c", "a key must be a word, found a list");
}

TEST(YamlTest, OnlyOneOfAChoiceMayBeGiven) {
  ExpectFailure("training: {optimizer: {sgd: {}, adam: {}}}",
                "'adam' is a second choice in training.optimizer: only one may be given");
  ExpectFailure("training: {optimizer: adamax}", "unknown choice 'adamax' in training.optimizer");
  EXPECT_EQ(Fix(Failure("training: {optimizer: adamx}")), "did you mean 'adam'?");
  ExpectFailure("training: {network: {layers: [activation]}}",
                "'activation' in training.network.layers[0] needs a value: one of sigmoid");
}

TEST(YamlTest, WhatIsNotYamlHasItsPlace) {
  ExpectFailure("model: [a", "p.yaml:1:1: this is not YAML: end of sequence flow");
  ExpectFailure("model: \"a", "this is not YAML");
  ExpectFailure("a: b: c", "this is not YAML");
  ExpectFailure("\tmodel: a", "this is not YAML");
  ExpectFailure("model: a\n---\nmodel: b", "must be one YAML document");
  ExpectFailure("model: \xff\xfe", "p.yaml:1:8: model must be a text of UTF-8");
}

TEST(YamlTest, AnchorsAliasesAndTagsAreRefused) {
  ExpectFailure("model: &x a", "anchors are not taken");
  ExpectFailure("dataset: &x {name: a}", "p.yaml:1:10: anchors are not taken");
  ExpectFailure("model: *x", "this is not YAML");
  ExpectFailure("model: !!str a", "tags are not taken");
  ExpectFailure("model: !binary a", "tags are not taken");
  // The well-known bomb: each line ten times the one before.
  std::string bomb = "a: &a [x]\n";
  for (char c = 'b'; c <= 'i'; ++c) {
    const char before = static_cast<char>(c - 1);
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) {
      bomb += std::string(i == 0 ? "*" : ", *") + before;
    }
    bomb += "]\n";
  }
  ExpectFailure(bomb, "anchors are not taken");
}

TEST(YamlTest, DepthAndSizeAreBounded) {
  ExpectFailure("model: " + std::string(65, '[') + std::string(65, ']'), "more than 64 levels");
  ExpectFailure("model: " + std::string(10'000, '[') + std::string(10'000, ']'), "p.yaml:1:");
  std::string block;
  for (int i = 0; i < 300; ++i) {
    block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  }
  ExpectFailure(block, "more than 64 levels");

  PipelineSpec spec;
  const std::string fits = "model: " + std::string((1U << 20U) - 7, 'x');
  EXPECT_TRUE(FillFromYaml("p.yaml", fits, spec).ok());
  ExpectFailure(fits + "x", "p.yaml must have at most 1048576 bytes, found 1048577");
}

}  // namespace
}  // namespace millrace::config
