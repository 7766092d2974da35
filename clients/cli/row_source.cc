#include "clients/cli/row_source.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <istream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "millrace/schema/v1/value.pb.h"

#include "clients/cli/input_file.h"
#include "clients/cli/json_splitter.h"
#include "common/csv/tokenizer.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using schema::v1::Row;
using serving::v1::PredictRequest;
using Json = nlohmann::ordered_json;

// Where the bytes come from.
struct Input {
  std::string name;                        // for messages
  InputFile file;                          // when there is one
  std::istream* standard_input = nullptr;  // when there is none
  std::int64_t read_bytes = 0;

  // The next bytes; none at the end.
  absl::StatusOr<std::string_view> Read() {
    std::istream& stream = standard_input == nullptr ? file.stream : *standard_input;
    stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    if (stream.bad()) {
      return DataLoss("reading {} failed", name);
    }
    read_bytes += stream.gcount();
    return std::string_view(buffer.data(), static_cast<std::size_t>(stream.gcount()));
  }

  std::vector<char> buffer = std::vector<char>(std::size_t{64} << 10U);
};

class FileRows : public RowSource {
 public:
  explicit FileRows(Input input) : input_(std::move(input)) {}

  [[nodiscard]] std::int64_t read_bytes() const override { return input_.read_bytes; }

  [[nodiscard]] std::int64_t size_bytes() const override { return input_.file.size_bytes; }

 protected:
  // Reads until `is_enough` or the end; gives what was read to `take`, and nothing at the end.
  template <typename IsEnough, typename Take>
  absl::Status ReadUntil(const IsEnough& is_enough, const Take& take) {
    while (!ended_ && !is_enough()) {
      ASSIGN_OR_RETURN(const std::string_view bytes, input_.Read());
      ended_ = bytes.empty();
      RETURN_IF_ERROR(take(bytes));
    }
    return absl::OkStatus();
  }

  [[nodiscard]] const std::string& name() const { return input_.name; }

 private:
  Input input_;
  bool ended_ = false;
};

class CsvRows final : public FileRows {
 public:
  CsvRows(Input input, char delimiter)
      : FileRows(std::move(input)),
        tokenizer_(name(), {.delimiter = delimiter}) {}

  absl::Status Next(const BatchLimits& limits, PredictRequest& request) override {
    request.clear_rows();
    std::size_t bytes = 0;
    while (request.rows_size() < limits.rows_max && bytes < limits.bytes_max) {
      RETURN_IF_ERROR(ReadUntil([this] { return !rows_.empty(); },
                                [this](std::string_view part) { return Take(part); }));
      if (rows_.empty()) {
        break;
      }
      bytes += rows_.front().ByteSizeLong();
      *request.add_rows() = std::move(rows_.front());
      rows_.pop_front();
    }
    request.mutable_columns()->Assign(columns_.begin(), columns_.end());
    if (request.rows().empty() && !given_) {
      return WithFix(
          InvalidArgument(
              "{} {}", name(), columns_.empty() ? "is empty" : "has no row below its header"),
          "give a header and at least one row below it");
    }
    given_ = true;
    return absl::OkStatus();
  }

 private:
  absl::Status Take(std::string_view part) {
    const auto take = [this](const csv::Record& record) {
      if (columns_.empty()) {
        columns_.assign(record.cells().begin(), record.cells().end());
        return absl::OkStatus();
      }
      Row& row = rows_.emplace_back();
      for (const std::string_view cell : record.cells()) {
        row.add_values()->set_text(std::string(cell));
      }
      return absl::OkStatus();
    };
    return part.empty() ? tokenizer_.Finish(take) : tokenizer_.Feed(part, take);
  }

  csv::Tokenizer tokenizer_;
  std::vector<std::string> columns_;
  std::deque<Row> rows_;  // those that a read found and no batch has taken
  bool given_ = false;
};

class JsonRows final : public FileRows {
 public:
  explicit JsonRows(Input input) : FileRows(std::move(input)), splitter_(name()) {}

  absl::Status Next(const BatchLimits& limits, PredictRequest& request) override {
    request.clear_rows();
    request.clear_columns();
    std::size_t bytes = 0;
    while (request.rows_size() < limits.rows_max && bytes < limits.bytes_max) {
      RETURN_IF_ERROR(ReadUntil([this] { return !objects_.empty(); },
                                [this](std::string_view part) {
                                  return part.empty() ? splitter_.Finish()
                                                      : splitter_.Feed(part, objects_);
                                }));
      if (objects_.empty()) {
        break;
      }
      bytes += objects_.front().size();
      RETURN_IF_ERROR(AddRow(objects_.front(), request));
      objects_.pop_front();
    }
    if (request.rows().empty() && given_ == 0) {
      return WithFix(InvalidArgument("{} has no object", name()),
                     "give an array of objects, or one object a line");
    }
    // All rows of a request have the same columns.
    for (Row& row : *request.mutable_rows()) {
      while (row.values_size() < request.columns_size()) {
        row.add_values();
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status AddRow(const std::string& text, PredictRequest& request) {
    ++given_;
    const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) {
      return WithFix(InvalidArgument("{}: object {} is no JSON", name(), given_),
                     "give an array of objects, or one object a line");
    }
    Row& row = *request.add_rows();
    for (const auto& [column, value] : json.items()) {
      const auto& columns = request.columns();
      const auto place =
          static_cast<int>(std::find(columns.begin(), columns.end(), column) - columns.begin());
      if (place == columns.size()) {
        request.add_columns(column);
      }
      while (row.values_size() <= place) {
        row.add_values();
      }
      RETURN_IF_ERROR(SetValue(column, value, *row.mutable_values(place)));
    }
    return absl::OkStatus();
  }

  absl::Status SetValue(const std::string& column,
                        const Json& json,
                        schema::v1::Value& value) const {
    if (json.is_structured()) {
      return WithFix(
          InvalidArgument("{}: object {}: '{}' must be a text, a number, true, false or null",
                          name(),
                          given_,
                          column),
          "give one value a feature");
    }
    if (json.is_boolean()) {
      value.set_boolean(json.get<bool>());
    } else if (json.is_string()) {
      value.set_text(json.get<std::string>());
    } else if (!json.is_null()) {
      value.set_text(json.dump());
    }
    return absl::OkStatus();
  }

  JsonSplitter splitter_;
  std::deque<std::string> objects_;
  std::int64_t given_ = 0;
};

}  // namespace

BatchLimits LimitsFor(int classes, int rows_max) {
  BatchLimits limits{.rows_max = rows_max};
  constexpr std::size_t kResponseBytesMax = std::size_t{1} << 20;
  const std::size_t row_bytes = sizeof(float) * static_cast<std::size_t>(std::max(1, classes));
  limits.rows_max = static_cast<int>(std::clamp<std::size_t>(
      kResponseBytesMax / row_bytes, 1, static_cast<std::size_t>(limits.rows_max)));
  return limits;
}

RowForm FormOf(std::string_view path) {
  constexpr std::array<std::string_view, 3> kEndings{".json", ".jsonl", ".ndjson"};
  return std::any_of(kEndings.begin(),
                     kEndings.end(),
                     [path](std::string_view ending) { return path.ends_with(ending); })
             ? RowForm::kJson
             : RowForm::kCsv;
}

absl::StatusOr<std::unique_ptr<RowSource>> OpenRows(const std::string& path,
                                                    const RowOptions& options,
                                                    std::istream& standard_input) {
  Input input{.name = "standard input", .file = {}, .standard_input = &standard_input};
  if (path != "-") {
    ASSIGN_OR_RETURN(input.file, OpenInput(path, "a CSV file with a header, or a JSON file"));
    input.name = std::filesystem::path(path).filename().string();
    input.standard_input = nullptr;
  }
  if (options.form == RowForm::kJson) {
    return std::make_unique<JsonRows>(std::move(input));
  }
  return std::make_unique<CsvRows>(std::move(input), options.delimiter);
}

}  // namespace millrace::cli
