#include "services/data/import/import.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "common/config/config.h"
#include "common/csv/dialect.h"
#include "common/csv/tokenizer.h"
#include "common/features/cell.h"
#include "common/status/status.h"
#include "services/data/import/column_builder.h"
#include "services/data/import/csv_reading.h"
#include "services/data/import/header.h"
#include "services/data/import/inference.h"

namespace millrace::data {

namespace {

constexpr std::int64_t kSampleBytes = std::int64_t{256} << 10;
constexpr std::size_t kSampleRecords = 256;

// What stands in messages.
std::string FileName(const v1::ImportHeader& header) {
  return header.file_name().empty() ? "file" : header.file_name();
}

features::MissingSpellings Missing(const v1::ImportOptions& options) {
  return features::MissingSpellings(std::vector<std::string>(options.missing_spellings().begin(),
                                                             options.missing_spellings().end()));
}

SampleRecords FirstRecords(std::string_view sample, char delimiter) {
  SampleRecords records;
  const auto keep = [&records](const csv::Record& record) -> absl::Status {
    if (records.size() == kSampleRecords) {
      return Cancelled("enough");
    }
    records.emplace_back(record.cells().begin(), record.cells().end());
    return absl::OkStatus();
  };
  csv::Tokenizer tokenizer("", {.delimiter = delimiter, .same_width = false});
  // Errors are told by the reading of the whole file; here the records before them are enough. The
  // end of the sample may cut a record, which then looks like any other.
  if (tokenizer.Feed(sample, keep).ok()) {
    tokenizer.Finish(keep).IgnoreError();
  }
  return records;
}

// Fills in what the options leave to be found out.
absl::StatusOr<v1::ImportOptions> DetectOptions(v1::ImportOptions options, const StagedFile& file) {
  if (options.missing_spellings().empty()) {
    for (std::string& spelling : features::DefaultMissingSpellings()) {
      options.add_missing_spellings(std::move(spelling));
    }
  }
  ASSIGN_OR_RETURN(const std::string sample, file.read(0, std::min(kSampleBytes, file.size)));
  if (options.delimiter().empty()) {
    const csv::DetectedDelimiter detected = csv::DetectDelimiter(sample, file.size <= kSampleBytes);
    options.set_delimiter(std::string(1, detected.delimiter));
  }
  if (options.header() == v1::ImportOptions::HEADER_UNSPECIFIED) {
    const SampleRecords records = FirstRecords(sample, options.delimiter().front());
    options.set_header(DetectHeader(records, Missing(options)) ? v1::ImportOptions::HEADER_PRESENT
                                                               : v1::ImportOptions::HEADER_ABSENT);
  }
  return options;
}

// One import: the columns as they grow.
class Import {
 public:
  Import(std::string file_name, v1::ImportOptions options)
      : file_name_(std::move(file_name)),
        options_(std::move(options)),
        missing_(Missing(options_)) {}

  absl::StatusOr<ImportedFile> Run(const StagedFile& file, const std::stop_token& stop);

 private:
  // Where a column first has a number that is not finite.
  struct NotFinite {
    csv::Position position;
    std::string text;
  };

  [[nodiscard]] csv::Tokenizer NewTokenizer() const {
    return {file_name_, {.delimiter = options_.delimiter().front()}};
  }

  absl::Status TakeFirst(const csv::Record& record);
  absl::Status Take(const csv::Record& record);
  absl::Status Refuse(const csv::Record& record, std::size_t column, ColumnBuilder::Added why);
  [[nodiscard]] absl::Status CheckName(std::string_view name, std::string_view use) const;
  [[nodiscard]] absl::Status CheckNames() const;
  void ExpectType(std::size_t column);
  [[nodiscard]] absl::Status CheckRead() const;
  absl::Status DecideTypes();
  absl::Status DecideType(std::size_t column);
  absl::Status ReadAgain(const StagedFile& file, const std::stop_token& stop);
  [[nodiscard]] bool MustReadAgain(std::size_t column) const;
  [[nodiscard]] absl::Status NotFiniteError(std::size_t column,
                                            csv::Position position,
                                            std::string_view text) const;
  ImportedFile Finish();

  std::string file_name_;
  v1::ImportOptions options_;
  features::MissingSpellings missing_;
  std::vector<std::string> names_;
  std::vector<ColumnBuilder> columns_;
  std::vector<std::optional<TypeDecision>> decisions_;  // nothing: to be inferred
  std::vector<std::int64_t> lines_;
  std::map<std::size_t, NotFinite> not_finite_;  // by column
};

absl::StatusOr<ImportedFile> Import::Run(const StagedFile& file, const std::stop_token& stop) {
  RETURN_IF_ERROR(ReadRecords(
      file, NewTokenizer(), stop, [this](const csv::Record& record) { return Take(record); }));
  RETURN_IF_ERROR(CheckRead());
  RETURN_IF_ERROR(ReadAgain(file, stop));
  RETURN_IF_ERROR(DecideTypes());
  return Finish();
}

absl::Status Import::Take(const csv::Record& record) {
  if (names_.empty()) {
    RETURN_IF_ERROR(TakeFirst(record));
    if (options_.header() == v1::ImportOptions::HEADER_PRESENT) {
      return absl::OkStatus();
    }
  }
  lines_.push_back(record.line());
  const auto cells = record.cells();
  for (std::size_t c = 0; c < cells.size(); ++c) {
    const ColumnBuilder::Added added = columns_[c].Add(cells[c]);
    if (added == ColumnBuilder::Added::kYes) {
      continue;
    }
    RETURN_IF_ERROR(Refuse(record, c, added));
  }
  return absl::OkStatus();
}

absl::Status Import::TakeFirst(const csv::Record& record) {
  if (options_.header() == v1::ImportOptions::HEADER_PRESENT) {
    ASSIGN_OR_RETURN(names_, ReadNames(record, file_name_));
  } else {
    names_ = NumberedNames(record.cells().size());
  }
  RETURN_IF_ERROR(CheckNames());
  decisions_.resize(names_.size());
  columns_.assign(names_.size(), ColumnBuilder(missing_));
  for (std::size_t c = 0; c < names_.size(); ++c) {
    ExpectType(c);
  }
  return absl::OkStatus();
}

absl::Status Import::CheckName(std::string_view name, std::string_view use) const {
  if (std::find(names_.begin(), names_.end(), name) != names_.end()) {
    return absl::OkStatus();
  }
  constexpr std::size_t kNamesShown = 8;
  const std::string closest = config::Closest(name, names_);
  const std::size_t shown = std::min(kNamesShown, names_.size());
  std::string list;
  for (std::size_t i = 0; i < shown; ++i) {
    list += fmt::format("{}{}", i == 0 ? "" : ", ", features::Excerpt(names_[i]));
  }
  return WithFix(
      InvalidArgument("{}:1:1: {} must be one of {} columns, found '{}'",
                      file_name_,
                      use,
                      names_.size(),
                      features::Excerpt(name)),
      closest.empty()
          ? fmt::format("its columns are: {}{}", list, shown < names_.size() ? ", ..." : "")
          : fmt::format("did you mean '{}'?", features::Excerpt(closest)));
}

absl::Status Import::CheckNames() const {
  if (!options_.label().empty()) {
    RETURN_IF_ERROR(CheckName(options_.label(), "the label"));
  }
  for (const std::string& name : options_.drop_columns()) {
    RETURN_IF_ERROR(CheckName(name, "a column to drop"));
  }
  // A map's order is not fixed: of several unknown names, tell the first in byte order.
  std::vector<std::string> typed;
  for (const auto& entry : options_.column_types()) {
    typed.push_back(entry.first);
  }
  std::sort(typed.begin(), typed.end());
  for (const std::string& name : typed) {
    RETURN_IF_ERROR(CheckName(name, "a column whose type is given"));
  }
  return absl::OkStatus();
}

void Import::ExpectType(std::size_t column) {
  const auto given = options_.column_types().find(names_[column]);
  if (given == options_.column_types().end() ||
      given->second == schema::v1::COLUMN_TYPE_UNSPECIFIED) {
    return;
  }
  TypeDecision decision{.type = given->second, .reason = "as the import's options say"};
  const bool is_label = names_[column] == options_.label();
  if (is_label && (decision.type == schema::v1::COLUMN_TYPE_TEXT ||
                   decision.type == schema::v1::COLUMN_TYPE_IDENTIFIER)) {
    decision.type = schema::v1::COLUMN_TYPE_CATEGORY;
  }
  // A boolean's spellings are known only when all its texts are.
  const bool number =
      features::IsNumeric(decision.type) && decision.type != schema::v1::COLUMN_TYPE_BOOLEAN;
  if (number) {
    schema::v1::Column expected;
    expected.set_name(names_[column]);
    expected.set_type(decision.type);
    columns_[column].Expect(expected);
  } else {
    columns_[column].ExpectTexts();
  }
  decisions_[column] = std::move(decision);
}

absl::Status Import::Refuse(const csv::Record& record,
                            std::size_t column,
                            ColumnBuilder::Added why) {
  const csv::Position position = record.PositionOf(column);
  const std::string text = features::Excerpt(features::Trim(record.cells()[column]));
  if (why == ColumnBuilder::Added::kNotFinite) {
    if (decisions_[column].has_value()) {
      return NotFiniteError(column, position, text);
    }
    not_finite_.try_emplace(column, NotFinite{.position = position, .text = text});
    return absl::OkStatus();
  }
  return WithFix(InvalidArgument("{}: column '{}' is {} by the import's options, found '{}'",
                                 csv::Where(file_name_, position),
                                 features::Excerpt(names_[column]),
                                 schema::v1::ColumnType_Name(decisions_[column]->type),
                                 text),
                 "correct the cell, give the column another type, or add the text to the missing "
                 "spellings");
}

absl::Status Import::NotFiniteError(std::size_t column,
                                    csv::Position position,
                                    std::string_view text) const {
  return WithFix(InvalidArgument("{}: numbers must be finite in column '{}', found '{}'",
                                 csv::Where(file_name_, position),
                                 features::Excerpt(names_[column]),
                                 text),
                 "correct the cell, or add the text to the missing spellings if it means no value");
}

// Whether the file gave what a table needs, and no number is left that is not finite.
absl::Status Import::CheckRead() const {
  if (names_.empty()) {
    return WithFix(
        InvalidArgument("{}:1:1: expected a header and rows, found an empty file", file_name_),
        "send a file with at least one row");
  }
  if (lines_.empty()) {
    return WithFix(InvalidArgument("{}:2:1: expected rows below the header, found only the header",
                                   file_name_),
                   "add rows; if the first line is a row, import with header absent");
  }
  const std::pair<const std::size_t, NotFinite>* first = nullptr;
  for (const auto& entry : not_finite_) {
    const csv::Position& at = entry.second.position;
    const bool is_number = columns_[entry.first].kind() == ColumnBuilder::Kind::kNumbers;
    if (is_number && (first == nullptr || at.line < first->second.position.line)) {
      first = &entry;
    }
  }
  return first == nullptr
             ? absl::OkStatus()
             : NotFiniteError(first->first, first->second.position, first->second.text);
}

bool Import::MustReadAgain(std::size_t column) const {
  const ColumnBuilder::Kind kind = columns_[column].kind();
  const bool numbers_by_name = kind == ColumnBuilder::Kind::kNumbers &&
                               decisions_[column].has_value() &&
                               decisions_[column]->type == schema::v1::COLUMN_TYPE_IDENTIFIER;
  return kind == ColumnBuilder::Kind::kLoosened || numbers_by_name;
}

// Reads the columns that turned out to be texts, now as texts.
absl::Status Import::ReadAgain(const StagedFile& file, const std::stop_token& stop) {
  std::vector<std::size_t> again;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    const bool numbers = columns_[c].kind() == ColumnBuilder::Kind::kNumbers;
    if (numbers && !decisions_[c].has_value()) {
      decisions_[c] = InferType(columns_[c], names_[c], names_[c] == options_.label());
    }
    if (MustReadAgain(c)) {
      again.push_back(c);
      columns_[c] = ColumnBuilder(missing_);
      columns_[c].ExpectTexts();
    }
  }
  if (again.empty()) {
    return absl::OkStatus();
  }
  bool is_header = options_.header() == v1::ImportOptions::HEADER_PRESENT;
  return ReadRecords(file, NewTokenizer(), stop, [&](const csv::Record& record) {
    if (!std::exchange(is_header, false)) {
      for (const std::size_t c : again) {
        columns_[c].Add(record.cells()[c]);
      }
    }
    return absl::OkStatus();
  });
}

absl::Status Import::DecideTypes() {
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    RETURN_IF_ERROR(DecideType(c));
  }
  return absl::OkStatus();
}

absl::Status Import::DecideType(std::size_t column) {
  std::optional<TypeDecision>& decision = decisions_[column];
  if (!decision.has_value()) {
    decision = InferType(columns_[column], names_[column], names_[column] == options_.label());
    return absl::OkStatus();
  }
  const bool given_boolean = decision->type == schema::v1::COLUMN_TYPE_BOOLEAN;
  if (!given_boolean) {
    return absl::OkStatus();
  }
  TypeDecision boolean = InferBoolean(columns_[column]);
  if (boolean.type == schema::v1::COLUMN_TYPE_UNSPECIFIED) {
    return WithFix(
        InvalidArgument("{}: boolean column '{}' must have two words for yes and no, as true and "
                        "false, yes and no, on and off, t and f, y and n, 1 and 0; found {} texts",
                        file_name_,
                        features::Excerpt(names_[column]),
                        columns_[column].dictionary().texts().size()),
        "give the column the type category");
  }
  boolean.reason = decision->reason;
  decision = std::move(boolean);
  return absl::OkStatus();
}

ImportedFile Import::Finish() {
  ImportedFile imported;
  schema::v1::Schema& schema = imported.table.schema;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    const TypeDecision& decision = *decisions_[c];
    schema::v1::Column& column = *schema.add_columns();
    column.set_name(names_[c]);
    column.set_type(decision.type);
    column.set_role(names_[c] == options_.label() ? schema::v1::COLUMN_ROLE_LABEL
                                                  : schema::v1::COLUMN_ROLE_FEATURE);
    column.set_reason(decision.reason);
    column.set_true_spelling(decision.true_spelling);
    column.set_false_spelling(decision.false_spelling);
    features::ColumnCells cells = columns_[c].Release();
    imported.table.columns.push_back(decision.type == schema::v1::COLUMN_TYPE_BOOLEAN
                                         ? ToBooleans(cells, decision)
                                         : std::move(cells));
    (*options_.mutable_column_types())[names_[c]] = decision.type;
  }
  *schema.mutable_missing_spellings() = options_.missing_spellings();
  imported.lines = std::move(lines_);
  imported.options = std::move(options_);
  return imported;
}

}  // namespace

absl::StatusOr<ImportedFile> ImportFile(const v1::ImportHeader& header,
                                        const StagedFile& file,
                                        const std::stop_token& stop) {
  ASSIGN_OR_RETURN(v1::ImportOptions options, DetectOptions(header.options(), file));
  return Import(FileName(header), std::move(options)).Run(file, stop);
}

}  // namespace millrace::data
