#include "tests/integration/raw_table.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "common/features/transformer.h"
#include "common/status/status.h"

namespace millrace::integration {

namespace {

std::vector<std::string> SplitText(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

// Little-endian float32, as this machine has them.
std::vector<float> FloatsOf(const std::string& bytes) {
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(float));
  return numbers;
}

}  // namespace

std::size_t RawTable::IndexOf(std::string_view column) const {
  return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), column) -
                                  columns.begin());
}

RawTable ParseTable(std::string_view csv) {
  RawTable table;
  for (const std::string& line : SplitText(csv, '\n')) {
    if (table.columns.empty()) {
      table.columns = SplitText(line, ',');
    } else if (!line.empty()) {
      table.rows.push_back(SplitText(line, ','));
    }
  }
  return table;
}

std::string ToCsv(const RawTable& table) {
  std::string csv = fmt::format("{}\n", fmt::join(table.columns, ","));
  for (const std::vector<std::string>& row : table.rows) {
    csv += fmt::format("{}\n", fmt::join(row, ","));
  }
  return csv;
}

schema::v1::Row RowOf(const std::vector<std::string>& cells) {
  schema::v1::Row row;
  for (const std::string& cell : cells) {
    row.add_values()->set_text(cell);
  }
  return row;
}

serving::v1::PredictRequest RequestOf(const std::string& model,
                                      const RawTable& table,
                                      std::span<const std::size_t> rows) {
  serving::v1::PredictRequest request;
  request.set_model(model);
  request.mutable_columns()->Assign(table.columns.begin(), table.columns.end());
  for (const std::size_t row : rows) {
    *request.add_rows() = RowOf(table.rows[row]);
  }
  return request;
}

serving::v1::PredictRequest RequestOf(const std::string& model, const RawTable& table) {
  std::vector<std::size_t> rows(table.rows.size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return RequestOf(model, table, rows);
}

absl::StatusOr<std::vector<std::string>> PredictBits(ServingStub& stub,
                                                     const serving::v1::PredictRequest& request) {
  ASSIGN_OR_RETURN(const serving::v1::PredictResponse response,
                   Call(stub, &ServingStub::Predict, request));
  std::vector<std::string> bits;
  for (const serving::v1::Prediction& prediction : response.predictions()) {
    bits.push_back(BytesOf(prediction));
  }
  return bits;
}

absl::StatusOr<std::vector<std::vector<float>>> TransformRows(const schema::v1::TransformSet& set,
                                                              const RawTable& table) {
  ASSIGN_OR_RETURN(const features::Transformer transformer, features::Transformer::Create(set));
  const std::vector<std::string_view> names(table.columns.begin(), table.columns.end());
  // Those that are no features are passed over.
  ASSIGN_OR_RETURN(const features::Transformer::Binding binding,
                   transformer.Bind(names, table.columns));
  std::vector<std::vector<float>> rows;
  for (const std::vector<std::string>& cells : table.rows) {
    std::vector<float>& x = rows.emplace_back(transformer.input_count());
    RETURN_IF_ERROR(transformer.Encode(binding, RowOf(cells), x));
  }
  return rows;
}

data::v1::ReadExamplesRequest SplitRequest(const std::string& version, schema::v1::Split split) {
  data::v1::ReadExamplesRequest request;
  request.set_name(version);
  request.set_split(split);
  return request;
}

absl::StatusOr<SplitExamples> ReadSplit(DataStub& stub,
                                        const data::v1::ReadExamplesRequest& request) {
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallMax);
  const auto stream = stub.ReadExamples(&context, request);
  SplitExamples examples;
  for (data::v1::ReadExamplesResponse response; stream->Read(&response);) {
    const std::vector<float> x = FloatsOf(response.features());
    const auto count = static_cast<std::size_t>(response.example_count());
    const std::size_t inputs = x.size() / std::max<std::size_t>(count, 1);
    for (auto row = x.begin(); row != x.end(); row += static_cast<std::ptrdiff_t>(inputs)) {
      examples.x.emplace_back(row, row + static_cast<std::ptrdiff_t>(inputs));
    }
    const std::vector<float> labels = FloatsOf(response.labels());
    examples.labels.insert(examples.labels.end(), labels.begin(), labels.end());
  }
  RETURN_IF_ERROR(FromGrpcStatus(stream->Finish()));
  return examples;
}

absl::StatusOr<std::vector<float>> InferRaw(InferenceStub& stub,
                                            const std::string& model,
                                            const std::vector<std::vector<float>>& rows) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto& input = *request.add_inputs();
  input.set_name("features");
  input.set_datatype("FP32");
  input.add_shape(std::ssize(rows));
  input.add_shape(rows.empty() ? 0 : std::ssize(rows.front()));
  std::string& bytes = *request.add_raw_input_contents();
  for (const std::vector<float>& row : rows) {
    bytes.append(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float));
  }
  ASSIGN_OR_RETURN(const inference::ModelInferResponse response,
                   Call(stub, &InferenceStub::ModelInfer, request));
  if (response.raw_output_contents_size() != 1) {
    return Internal("expected one raw output, found {}", response.raw_output_contents_size());
  }
  return FloatsOf(response.raw_output_contents(0));
}

absl::StatusOr<std::vector<std::size_t>> RowsOfExamples(const schema::v1::TransformSet& set,
                                                        const RawTable& table,
                                                        const SplitExamples& examples) {
  ASSIGN_OR_RETURN(const std::vector<std::vector<float>> transformed, TransformRows(set, table));
  std::map<std::vector<float>, std::size_t> row_of;
  for (std::size_t row = 0; row < transformed.size(); ++row) {
    row_of.emplace(transformed[row], row);
  }
  std::vector<std::size_t> rows;
  for (const std::vector<float>& x : examples.x) {
    const auto found = row_of.find(x);
    if (found == row_of.end()) {
      return NotFound("example {} is none of the raw rows, transformed", rows.size());
    }
    rows.push_back(found->second);
  }
  return rows;
}

}  // namespace millrace::integration
