// RawTable: the cells of a plain CSV file as a client has them, and what becomes of its rows.

#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/schema/v1/transforms.pb.h"
#include "millrace/schema/v1/value.pb.h"
#include "millrace/serving/v1/serving_service.pb.h"

#include "tests/integration/clients.h"

namespace millrace::integration {

/// Texts, row by row; no quotes.
struct RawTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;

  /// Place of a column. Requires: there is one of this name.
  [[nodiscard]] std::size_t IndexOf(std::string_view column) const;
};

/// Requires: a header and rows, commas and line feeds, no cell in quotes.
RawTable ParseTable(std::string_view csv);

/// The text of a file that ParseTable() reads as `table`.
std::string ToCsv(const RawTable& table);

/// Cells as texts.
schema::v1::Row RowOf(const std::vector<std::string>& cells);

/// A request for rows of the table, with all its columns.
serving::v1::PredictRequest RequestOf(const std::string& model,
                                      const RawTable& table,
                                      std::span<const std::size_t> rows);

/// A request for all of them.
serving::v1::PredictRequest RequestOf(const std::string& model, const RawTable& table);

/// The answers, one text of bytes a row: equal exactly when label, value and the bits of all
/// probabilities are.
absl::StatusOr<std::vector<std::string>> PredictBits(ServingStub& stub,
                                                     const serving::v1::PredictRequest& request);

/// Inputs of the network for each row of the table, by the one code that data and serving run.
absl::StatusOr<std::vector<std::vector<float>>> TransformRows(const schema::v1::TransformSet& set,
                                                              const RawTable& table);

/// A split as ReadExamples gives it.
struct SplitExamples {
  std::vector<std::vector<float>> x;
  std::vector<float> labels;
};

absl::StatusOr<SplitExamples> ReadSplit(DataStub& stub,
                                        const data::v1::ReadExamplesRequest& request);

data::v1::ReadExamplesRequest SplitRequest(const std::string& version, schema::v1::Split split);

/// Asks by the Open Inference Protocol, with raw contents: one answer a class and row, row-major.
absl::StatusOr<std::vector<float>> InferRaw(InferenceStub& stub,
                                            const std::string& model,
                                            const std::vector<std::vector<float>>& rows);

/// The rows of the table, in the order of the split, that the examples of a split were made of.
/// Fails when an example is none of the rows.
absl::StatusOr<std::vector<std::size_t>> RowsOfExamples(const schema::v1::TransformSet& set,
                                                        const RawTable& table,
                                                        const SplitExamples& examples);

}  // namespace millrace::integration
