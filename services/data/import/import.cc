#include "services/data/import/import.h"

#include <algorithm>
#include <cstddef>
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
#include "services/data/import/block_reader.h"
#include "services/data/import/column_builder.h"
#include "services/data/import/distinct_texts.h"
#include "services/data/import/file_reading.h"
#include "services/data/import/header.h"
#include "services/data/import/inference.h"
#include "services/data/import/numbers_differ.h"

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

BlockSizes BlocksOf(const ImportMeans& means) {
  return {.block_bytes = means.block_bytes, .row_bytes_max = means.limits.csv.row_bytes_max};
}

// One import.
class Import {
 public:
  Import(const StagedFile& file, const ImportMeans& means, const std::stop_token& stop)
      : file_(file),
        means_(means),
        stop_(stop) {}

  absl::StatusOr<ImportedFile> Run(std::string file_name, v1::ImportOptions options);

 private:
  absl::Status FindFirst();
  absl::Status TakeFirst(const csv::Record& record);
  [[nodiscard]] absl::Status CheckName(std::string_view name, std::string_view use) const;
  [[nodiscard]] absl::Status CheckNames() const;
  void ExpectType(std::size_t column);
  [[nodiscard]] absl::Status CheckRead() const;
  [[nodiscard]] bool MustReadAgain(std::size_t column) const;
  absl::Status DecideNumbers();
  absl::Status ReadAgain(DistinctTexts& texts);
  absl::Status DecideTypes(const std::vector<std::int64_t>& different);
  absl::Status DecideType(std::size_t column, std::int64_t different);
  void Describe();

  [[nodiscard]] bool IsLabel(std::size_t column) const {
    return rules_.columns[column].name == options_.label();
  }

  const StagedFile& file_;
  const ImportMeans& means_;
  const std::stop_token& stop_;
  v1::ImportOptions options_;
  ReadingRules rules_;
  std::vector<std::string> names_;
  std::vector<std::optional<TypeDecision>> decisions_;  // nothing: to be inferred
  std::vector<ColumnFacts> facts_;
  SpilledFile spilled_;
};

absl::StatusOr<ImportedFile> Import::Run(std::string file_name, v1::ImportOptions options) {
  options_ = std::move(options);
  rules_.file_name = std::move(file_name);
  rules_.delimiter = options_.delimiter().front();
  rules_.limits = means_.limits.csv;
  rules_.missing = Missing(options_);
  rules_.has_header = options_.header() == v1::ImportOptions::HEADER_PRESENT;
  RETURN_IF_ERROR(FindFirst());

  ASSIGN_OR_RETURN(spilled_.spill, Spill::Create(means_.scratch));
  DistinctTexts texts(names_.size(), means_.scratch);
  const BlockReader reader(rules_);
  FileReading reading(reader, texts);
  BlockSource source(file_, stop_, BlocksOf(means_));
  RETURN_IF_ERROR(reading.ReadAll(source, *spilled_.spill, means_.threads));
  facts_ = std::move(reading.facts());
  spilled_.groups = reading.TakeGroups();
  spilled_.views.resize(names_.size());
  RETURN_IF_ERROR(CheckRead());
  RETURN_IF_ERROR(DecideNumbers());
  RETURN_IF_ERROR(ReadAgain(texts));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> different, texts.Count());
  RETURN_IF_ERROR(DecideTypes(different));
  Describe();
  ImportedFile imported;
  imported.rows = std::make_unique<const SpilledRows>(std::move(spilled_));
  imported.options = std::move(options_);
  return imported;
}

// Finds the first record, which says how many columns there are.
absl::Status Import::FindFirst() {
  BlockSource source(file_, stop_, BlocksOf(means_));
  Block block;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, source.Next(block));
    if (!more) {
      return WithFix(InvalidArgument("{}:1:1: expected a header and rows, found an empty file",
                                     rules_.file_name),
                     "send a file with at least one row");
    }
    std::optional<absl::Status> taken;
    const auto take = [&](const csv::Record& record) -> absl::Status {
      taken = TakeFirst(record);
      return Cancelled("enough");
    };
    csv::Tokenizer tokenizer(rules_.file_name,
                             {.delimiter = rules_.delimiter,
                              .limits = rules_.limits,
                              .stretch = {.first_line = block.place.first_line}});
    absl::Status read = tokenizer.Feed(block.bytes, take);
    if (read.ok()) {
      read = tokenizer.Finish(take);
    }
    if (taken.has_value()) {
      rules_.first_block = block.place.index;
      return *taken;
    }
    RETURN_IF_ERROR(read);
  }
}

absl::Status Import::TakeFirst(const csv::Record& record) {
  if (rules_.has_header) {
    ASSIGN_OR_RETURN(names_, ReadNames(record, rules_.file_name));
  } else {
    names_ = NumberedNames(record.cells().size());
  }
  RETURN_IF_ERROR(CheckNames());
  rules_.width = static_cast<std::int64_t>(names_.size());
  decisions_.resize(names_.size());
  for (std::size_t c = 0; c < names_.size(); ++c) {
    rules_.columns.push_back({.index = c, .name = names_[c], .given = {}, .as_texts = false});
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
                      rules_.file_name,
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
  if (IsLabel(column) && (decision.type == schema::v1::COLUMN_TYPE_TEXT ||
                          decision.type == schema::v1::COLUMN_TYPE_IDENTIFIER)) {
    decision.type = schema::v1::COLUMN_TYPE_CATEGORY;
  }
  // A boolean's spellings are known only when all its texts are.
  const bool number =
      features::IsNumeric(decision.type) && decision.type != schema::v1::COLUMN_TYPE_BOOLEAN;
  if (number) {
    schema::v1::Column& expected = rules_.columns[column].given.emplace();
    expected.set_name(names_[column]);
    expected.set_type(decision.type);
  } else {
    rules_.columns[column].as_texts = true;
  }
  decisions_[column] = std::move(decision);
}

// Whether the file gave what a table needs, and no number is left that is not finite.
absl::Status Import::CheckRead() const {
  if (spilled_.groups.empty()) {
    return WithFix(InvalidArgument("{}:2:1: expected rows below the header, found only the header",
                                   rules_.file_name),
                   "add rows; if the first line is a row, import with header absent");
  }
  std::optional<std::size_t> first;
  for (std::size_t c = 0; c < facts_.size(); ++c) {
    const std::optional<NotFinite>& found = facts_[c].not_finite;
    if (facts_[c].kind == CellKind::kNumbers && found.has_value() &&
        (!first.has_value() || found->position.line < facts_[*first].not_finite->position.line)) {
      first = c;
    }
  }
  return !first.has_value()
             ? absl::OkStatus()
             : NotFiniteError(rules_.file_name, names_[*first], *facts_[*first].not_finite);
}

// Decides the columns of numbers whose types are not given.
absl::Status Import::DecideNumbers() {
  for (std::size_t c = 0; c < facts_.size(); ++c) {
    if (facts_[c].kind != CellKind::kNumbers || decisions_[c].has_value()) {
      continue;
    }
    Different different;
    if (!IsLabel(c) && MayBeIdentifier(facts_[c], names_[c])) {
      ASSIGN_OR_RETURN(different.all_numbers_differ,
                       NumbersDiffer(spilled_, c, facts_[c], means_.scratch));
    }
    decisions_[c] = InferType(facts_[c], different, names_[c], IsLabel(c));
    if (decisions_[c]->type == schema::v1::COLUMN_TYPE_IDENTIFIER && facts_[c].are_canonical) {
      spilled_.views[c].change = CellView::Change::kTexts;
    }
  }
  return absl::OkStatus();
}

bool Import::MustReadAgain(std::size_t column) const {
  const CellKind kind = facts_[column].kind;
  const bool numbers_by_name = kind == CellKind::kNumbers && decisions_[column].has_value() &&
                               decisions_[column]->type == schema::v1::COLUMN_TYPE_IDENTIFIER &&
                               !facts_[column].are_canonical;
  return kind == CellKind::kLoosened || numbers_by_name;
}

// Reads the columns that turned out to be texts, now as texts.
absl::Status Import::ReadAgain(DistinctTexts& texts) {
  ReadingRules rules = rules_;
  rules.columns.clear();
  for (std::size_t c = 0; c < names_.size(); ++c) {
    if (MustReadAgain(c)) {
      spilled_.views[c].again = static_cast<int>(rules.columns.size());
      rules.columns.push_back({.index = c, .name = names_[c], .given = {}, .as_texts = true});
    }
  }
  if (rules.columns.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(spilled_.again, Spill::Create(means_.scratch));
  const BlockReader reader(std::move(rules));
  FileReading reading(reader, texts);
  const BlockSource source(file_, stop_, BlocksOf(means_));
  RETURN_IF_ERROR(reading.ReadAgain(source, spilled_.groups, *spilled_.again, means_.threads));
  for (std::size_t i = 0; i < reader.rules().columns.size(); ++i) {
    facts_[reader.rules().columns[i].index] = std::move(reading.facts()[i]);
  }
  return absl::OkStatus();
}

absl::Status Import::DecideTypes(const std::vector<std::int64_t>& different) {
  for (std::size_t c = 0; c < names_.size(); ++c) {
    RETURN_IF_ERROR(DecideType(c, different[c]));
  }
  return absl::OkStatus();
}

absl::Status Import::DecideType(std::size_t column, std::int64_t different) {
  std::optional<TypeDecision>& decision = decisions_[column];
  const bool given_boolean =
      decision.has_value() && decision->type == schema::v1::COLUMN_TYPE_BOOLEAN;
  if (!decision.has_value()) {
    decision = InferType(facts_[column], {.texts = different}, names_[column], IsLabel(column));
  } else if (given_boolean) {
    TypeDecision boolean = InferBoolean(facts_[column]);
    if (boolean.type == schema::v1::COLUMN_TYPE_UNSPECIFIED) {
      return WithFix(InvalidArgument(
                         "{}: boolean column '{}' must have two words for yes and no, as true and "
                         "false, yes and no, on and off, t and f, y and n, 1 and 0; found {} texts",
                         rules_.file_name,
                         features::Excerpt(names_[column]),
                         different),
                     "give the column the type category");
    }
    boolean.reason = decision->reason;
    decision = std::move(boolean);
  }
  if (decision->type == schema::v1::COLUMN_TYPE_BOOLEAN) {
    spilled_.views[column].change = CellView::Change::kBooleans;
  }
  return absl::OkStatus();
}

// Writes down what was decided.
void Import::Describe() {
  for (std::size_t c = 0; c < names_.size(); ++c) {
    const TypeDecision& decision = *decisions_[c];
    schema::v1::Column& column = *spilled_.schema.add_columns();
    column.set_name(names_[c]);
    column.set_type(decision.type);
    column.set_role(IsLabel(c) ? schema::v1::COLUMN_ROLE_LABEL : schema::v1::COLUMN_ROLE_FEATURE);
    column.set_reason(decision.reason);
    column.set_true_spelling(decision.true_spelling);
    column.set_false_spelling(decision.false_spelling);
    (*options_.mutable_column_types())[names_[c]] = decision.type;
  }
  *spilled_.schema.mutable_missing_spellings() = options_.missing_spellings();
}

}  // namespace

absl::StatusOr<ImportedFile> ImportFile(const v1::ImportHeader& header,
                                        const StagedFile& file,
                                        const ImportMeans& means,
                                        const std::stop_token& stop) {
  ASSIGN_OR_RETURN(v1::ImportOptions options, DetectOptions(header.options(), file));
  return Import(file, means, stop).Run(FileName(header), std::move(options));
}

}  // namespace millrace::data
