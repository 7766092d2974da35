// NumberedExamples: rows that name themselves, so that a test sees which ones it got.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "services/data/read/examples.h"

namespace millrace::data {

/// `count` rows whose feature is the row's number, repeated in `inputs` columns, and whose label is
/// the same number negated when `labelled`. All rows are in train, but the last two, of which one
/// is in validation and one in test.
inline std::shared_ptr<const Examples> NumberedExamples(std::int64_t count,
                                                        int inputs = 1,
                                                        bool labelled = true) {
  schema::v1::TransformSet set;
  features::Table table;
  const auto add = [&](const std::string& name, schema::v1::ColumnRole role, double sign) {
    schema::v1::Column& column = *table.schema.add_columns();
    column.set_name(name);
    column.set_type(schema::v1::COLUMN_TYPE_REAL);
    column.set_role(role);
    features::ColumnCells cells;
    for (std::int64_t row = 0; row < count; ++row) {
      cells.numbers.push_back(sign * static_cast<double>(row));
      cells.valid.push_back(1);
    }
    table.columns.push_back(std::move(cells));
    return column;
  };
  for (int i = 0; i < inputs; ++i) {
    auto* const feature = set.add_features();
    *feature->mutable_column() = add(fmt::format("x{}", i), schema::v1::COLUMN_ROLE_FEATURE, 1.0);
    feature->set_number(0);
    feature->mutable_linear()->set_scale(1);
  }
  if (labelled) {
    *set.mutable_label()->mutable_column() = add("y", schema::v1::COLUMN_ROLE_LABEL, -1.0);
    set.set_task(schema::v1::TASK_REGRESSION);
    table.schema.set_task(schema::v1::TASK_REGRESSION);
  }
  set.set_input_count(inputs);
  auto transformer = features::Transformer::Create(std::move(set));
  EXPECT_TRUE(transformer.ok()) << transformer.status();
  Examples examples{.table = std::move(table),
                    .transformer = *std::move(transformer),
                    .train = {},
                    .validation = {count - 2},
                    .test = {count - 1}};
  for (std::int64_t row = 0; row + 2 < count; ++row) {
    examples.train.push_back(row);
  }
  return std::make_shared<const Examples>(std::move(examples));
}

}  // namespace millrace::data
