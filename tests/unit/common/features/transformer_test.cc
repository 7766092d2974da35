#include "common/features/transformer.h"

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/support/allocations.h"
#include "tests/unit/common/features/transforms.h"

namespace millrace::features {
namespace {

using schema::v1::Row;
using testing::ElementsAre;

const std::vector<std::string_view> kNames = {"age", "colour"};

Transformer Example() {
  return *Transformer::Create(ExampleSet());
}

Transformer::Binding Bound(const Transformer& transformer,
                           const std::vector<std::string_view>& names = kNames) {
  return *transformer.Bind(names, {});
}

Row RowOf(const std::string& age, const std::string& colour) {
  Row row;
  row.add_values()->set_text(age);
  row.add_values()->set_text(colour);
  return row;
}

std::vector<float> Encoded(const Transformer& transformer, const Row& row) {
  std::vector<float> x(static_cast<std::size_t>(transformer.input_count()), -1.0F);
  const absl::Status status = transformer.Encode(Bound(transformer), row, x);
  EXPECT_TRUE(status.ok()) << status;
  return x;
}

TEST(TransformerTest, EncodesNumbersAndCategories) {
  const Transformer transformer = Example();

  EXPECT_THAT(Encoded(transformer, RowOf("20", "red")), ElementsAre(0, 0, 1, 0));
  EXPECT_THAT(Encoded(transformer, RowOf("60", "blue")), ElementsAre(1, 1, 0, 0));
  EXPECT_THAT(Encoded(transformer, RowOf("100", "green")), ElementsAre(2, 0, 0, 1));
}

TEST(TransformerTest, ImputesWhatIsMissingOrNotNamed) {
  const Transformer transformer = Example();
  std::vector<float> x(4);

  EXPECT_THAT(Encoded(transformer, RowOf("n/a", "")), ElementsAre(0.25F, 0, 1, 0));
  ASSERT_TRUE(transformer.Encode(Bound(transformer, {}), Row(), x).ok());
  EXPECT_THAT(x, ElementsAre(0.25F, 0, 1, 0));
}

TEST(TransformerTest, TakesNamesInAnyOrderAndPassesOverIgnoredOnes) {
  const Transformer transformer = Example();
  const std::vector<std::string_view> names = {"colour", "ill", "age"};
  const std::vector<std::string> ignored = {"ill", "patient"};
  const auto binding = transformer.Bind(names, ignored);
  ASSERT_TRUE(binding.ok()) << binding.status();
  Row row;
  row.add_values()->set_text("blue");
  row.add_values()->set_text("whatever");
  row.add_values()->set_number(40);
  std::vector<float> x(4);

  ASSERT_TRUE(transformer.Encode(*binding, row, x).ok());
  EXPECT_THAT(x, ElementsAre(0.5F, 1, 0, 0));
}

TEST(TransformerTest, BindRefusesUnknownAndRepeatedNames) {
  const Transformer transformer = Example();
  const std::vector<std::string_view> misspelt = {"color"};
  const std::vector<std::string_view> twice = {"age", "age"};

  const absl::Status unknown = transformer.Bind(misspelt, {}).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(unknown), "the model has no feature 'color'");
  EXPECT_EQ(Fix(unknown), "did you mean 'colour'?");
  const absl::Status repeated = transformer.Bind(twice, {}).status();
  EXPECT_EQ(repeated.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(repeated), "column 'age' is named twice");
}

TEST(TransformerTest, RefusesRowsThatDoNotFit) {
  const Transformer transformer = Example();
  std::vector<float> x(4);
  Row shorter;
  shorter.add_values()->set_number(1);

  const absl::Status count = transformer.Encode(Bound(transformer), shorter, x);
  EXPECT_EQ(count.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(count), "a row must have 2 values, one a name, found 1");
  const absl::Status type = transformer.Encode(Bound(transformer), RowOf("old", "red"), x);
  EXPECT_EQ(type.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(type), "column 'age' is a finite number, found 'old'");
  const absl::Status range = transformer.Encode(Bound(transformer), RowOf("1e300", "red"), x);
  EXPECT_EQ(range.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(range)), testing::HasSubstr("'age' is out of range once scaled"));
}

TEST(TransformerTest, CreateRefusesAContradiction) {
  schema::v1::TransformSet set = ExampleSet();
  set.set_input_count(7);
  const absl::Status status = Transformer::Create(set).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(status)), testing::HasSubstr("input_count 7"));
}

// A table of the example's columns, with awkward numbers.
Table ExampleTable() {
  Table table;
  for (const auto& [name, type] : {std::pair{"ill", schema::v1::COLUMN_TYPE_CATEGORY},
                                   std::pair{"colour", schema::v1::COLUMN_TYPE_CATEGORY},
                                   std::pair{"age", schema::v1::COLUMN_TYPE_REAL}}) {
    table.schema.add_columns()->set_name(name);
    table.schema.mutable_columns()->rbegin()->set_type(type);
  }
  table.columns.resize(3);
  table.columns[0] = {
      .numbers = {}, .codes = {0, 1, 0, 1}, .dictionary = {"yes", "no"}, .valid = {1, 1, 1, 1}};
  table.columns[1] = {.numbers = {},
                      .codes = {0, 1, 2, 0},
                      .dictionary = {"red", "green", "blue"},
                      .valid = {1, 1, 1, 0}};
  table.columns[2] = {.numbers = {33.3333333333, 0.1, 59.999999999, 0},
                      .codes = {},
                      .dictionary = {},
                      .valid = {1, 1, 1, 0}};
  return table;
}

std::vector<std::uint32_t> Bits(std::span<const float> numbers) {
  std::vector<std::uint32_t> bits;
  bits.reserve(numbers.size());
  for (const float number : numbers) {
    bits.push_back(std::bit_cast<std::uint32_t>(number));
  }
  return bits;
}

TEST(TransformerTest, ATableAndARequestGiveTheSameBits) {
  const Transformer transformer = Example();
  const Table table = ExampleTable();
  const std::vector<std::int64_t> rows = {3, 0, 2, 1};
  std::vector<float> of_table(16, -1.0F);
  ASSERT_TRUE(transformer.Encode(table, rows, of_table).ok());

  for (std::size_t i = 0; i < rows.size(); ++i) {
    Row row;
    const Cell age = table.columns[2].At(rows[i]);
    const Cell colour = table.columns[1].At(rows[i]);
    schema::v1::Value& first = *row.add_values();
    schema::v1::Value& second = *row.add_values();
    if (age.kind == Cell::Kind::kNumber) {
      first.set_number(age.number);
    }
    if (colour.kind == Cell::Kind::kText) {
      second.set_text(std::string(colour.text));
    }
    const std::vector<float> of_row = Encoded(transformer, row);

    EXPECT_EQ(Bits(of_row), Bits(std::span(of_table).subspan(4 * i, 4))) << "row " << rows[i];
  }
}

TEST(TransformerTest, EncodesLabelsAsIndicesOfTheirClasses) {
  const std::vector<std::int64_t> rows = {0, 1, 2};
  std::vector<float> labels(3);

  ASSERT_TRUE(Example().EncodeLabels(ExampleTable(), rows, labels).ok());
  EXPECT_THAT(labels, ElementsAre(1, 0, 1));
}

TEST(TransformerTest, EncodesLabelsThatAreIntegerClasses) {
  schema::v1::TransformSet set = ExampleSet();
  set.mutable_label()->mutable_column()->set_type(schema::v1::COLUMN_TYPE_INTEGER);
  set.mutable_label()->set_classes(0, "0");
  set.mutable_label()->set_classes(1, "1");
  Table table = ExampleTable();
  table.schema.mutable_columns(0)->set_type(schema::v1::COLUMN_TYPE_INTEGER);
  table.columns[0] = {
      .numbers = {1, 0, 7, 0}, .codes = {}, .dictionary = {}, .valid = {1, 1, 1, 0}};
  const Transformer transformer = *Transformer::Create(set);
  std::vector<float> labels(1);

  ASSERT_TRUE(transformer.EncodeLabels(table, std::vector<std::int64_t>{0}, labels).ok());
  EXPECT_EQ(labels[0], 1.0F);
  const absl::Status unknown =
      transformer.EncodeLabels(table, std::vector<std::int64_t>{2}, labels);
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(unknown), "label 'ill' is none of its classes, found '7'");
  const absl::Status missing =
      transformer.EncodeLabels(table, std::vector<std::int64_t>{3}, labels);
  EXPECT_EQ(missing.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(missing), "label 'ill' has no value in row 3");
}

TEST(TransformerTest, RefusesATableWithoutTheColumnOrWithAnotherType) {
  Table table = ExampleTable();
  std::vector<float> x(4);
  table.schema.mutable_columns(2)->set_type(schema::v1::COLUMN_TYPE_INTEGER);
  const absl::Status type = Example().Encode(table, std::vector<std::int64_t>{0}, x);
  EXPECT_EQ(type.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(type)), testing::HasSubstr("found COLUMN_TYPE_INTEGER"));

  table.schema.mutable_columns(2)->set_name("years");
  const absl::Status name = Example().Encode(table, std::vector<std::int64_t>{0}, x);
  EXPECT_EQ(name.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(name), "the table has no column 'age'");
}

TEST(TransformerTest, ARowOfNumbersIsEncodedWithoutAllocating) {
  schema::v1::TransformSet set;
  std::vector<std::string> texts;
  for (int i = 0; i < 30; ++i) {
    texts.push_back("feature_" + std::to_string(i));
    AddNumber(set, texts.back(), i, 0.5, 0);
  }
  const Transformer transformer = *Transformer::Create(set);
  const std::vector<std::string_view> names(texts.begin(), texts.end() - 1);  // one is imputed
  const Transformer::Binding binding = Bound(transformer, names);
  Row row;
  for (int i = 0; i < 29; ++i) {
    row.add_values()->set_number(i + 1.5);
  }
  row.mutable_values(3)->Clear();
  row.mutable_values(4)->set_boolean(true);
  std::vector<float> x(30);

  const int before = AllocationCount();
  const absl::Status status = transformer.Encode(binding, row, x);
  const int after = AllocationCount();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(after, before);
  EXPECT_EQ(x[0], 0.75F);
}

}  // namespace
}  // namespace millrace::features
