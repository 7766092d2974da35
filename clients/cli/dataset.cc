#include "clients/cli/dataset.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/schema/v1/schema.pb.h"
#include "millrace/schema/v1/statistics.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/failure.h"
#include "clients/cli/import.h"
#include "clients/cli/import_check.h"
#include "clients/cli/listing.h"
#include "clients/cli/output.h"
#include "clients/cli/profile.h"
#include "clients/cli/reference.h"
#include "clients/cli/sparkline.h"
#include "clients/cli/spelling.h"
#include "clients/cli/standing.h"
#include "clients/cli/table.h"
#include "clients/cli/verb.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using data::v1::DatasetVersion;
using data::v1::ImportHeader;
using data::v1::ImportOptions;
using schema::v1::Column;
using schema::v1::ColumnStatistics;
using schema::v1::Statistics;

// The words of `dataset import`, before they are understood.
struct ImportWords {
  std::string file;
  std::string name;
  bool header = false;
  bool no_header = false;
  std::vector<std::string> missing;
  std::vector<std::string> drop;
  std::vector<std::string> types;  // column=type
  std::string scaling;
  ImportOptions options;  // what needs no understanding
  Consent consent;
};

absl::Status FillTypes(const std::vector<std::string>& words, ImportOptions& options) {
  for (const std::string& word : words) {
    const std::size_t equals = word.rfind('=');  // a column's name may have one
    if (equals == std::string::npos || equals == 0) {
      return UsageError(fmt::format("--type must be COLUMN=TYPE, found '{}'", word),
                        "for example --type zip=category");
    }
    ASSIGN_OR_RETURN(
        const int type,
        ParseEnumWord(
            *schema::v1::ColumnType_descriptor(), "the type in --type", word.substr(equals + 1)));
    (*options.mutable_column_types())[word.substr(0, equals)] =
        static_cast<schema::v1::ColumnType>(type);
  }
  return absl::OkStatus();
}

absl::StatusOr<ImportHeader> Understand(const ImportWords& words) {
  ImportHeader header;
  header.set_dataset(FullName("datasets", words.name));
  ImportOptions& options = *header.mutable_options();
  options = words.options;
  options.mutable_missing_spellings()->Assign(words.missing.begin(), words.missing.end());
  options.mutable_drop_columns()->Assign(words.drop.begin(), words.drop.end());
  if (words.header) {
    options.set_header(ImportOptions::HEADER_PRESENT);
  }
  if (words.no_header) {
    options.set_header(ImportOptions::HEADER_ABSENT);
  }
  if (!words.scaling.empty()) {
    ASSIGN_OR_RETURN(const int scaling,
                     ParseEnumWord(*data::v1::Scaling_descriptor(), "--scaling", words.scaling));
    options.set_scaling(static_cast<data::v1::Scaling>(scaling));
  }
  RETURN_IF_ERROR(FillTypes(words.types, options));
  return header;
}

absl::StatusOr<DatasetVersion> GetVersion(const std::string& name, Shell& shell) {
  data::v1::GetDatasetRequest request;
  request.set_name(FullName("datasets", name));
  return shell.connection.Call(shell.connection.Data(), &DataStub::GetDataset, request);
}

// Whether the service answers; there need not be such a dataset.
absl::Status CheckAnswers(const std::string& dataset, Shell& shell) {
  const absl::Status status = GetVersion(dataset, shell).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status Import(const ImportWords& words, Shell& shell) {
  ASSIGN_OR_RETURN(const ImportHeader header, Understand(words));
  if (words.consent.dry_run) {
    RETURN_IF_ERROR(CheckImport(words.file, header));
    RETURN_IF_ERROR(CheckAnswers(header.dataset(), shell));
  }
  if (IsDryRun(shell, words.consent, fmt::format("import '{}' as {}", words.file, words.name))) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const DatasetVersion version, ImportFile(shell, words.file, header));
  shell.Print({.json = ToJson(version),
               .text = ImportSummary(version, shell.page()),
               .names = {version.name()}});
  shell.console.Note(fmt::format("next: millrace dataset show {}", ShortName(version.name())));
  return absl::OkStatus();
}

absl::Status ListVersions(const std::string& dataset, int limit, Shell& shell) {
  data::v1::ListDatasetsRequest request;
  if (!dataset.empty()) {
    request.set_dataset(FullName("datasets", dataset));
  }
  ASSIGN_OR_RETURN(
      const data::v1::ListDatasetsResponse list,
      List(shell, shell.connection.Data(), &DataStub::ListDatasets, std::move(request), limit));
  if (list.datasets().empty() && !dataset.empty()) {
    RETURN_IF_ERROR(GetVersion(dataset, shell).status());
  }
  if (list.datasets().empty() && shell.for_people()) {
    shell.console.Note("no datasets yet");
    shell.console.Note("next: millrace dataset import FILE --name NAME --label COLUMN");
    return absl::OkStatus();
  }
  Table table({"NAME",
               ">ROWS",
               ">TRAIN",
               ">VALIDATION",
               ">TEST",
               "DIGEST",
               "+LABEL",
               "+SHA256",
               "CREATED (UTC)"});
  Result result{.json = ToJson(list)};
  for (const DatasetVersion& version : list.datasets()) {
    table.Add({ShortName(version.name()),
               fmt::format("{}", version.row_count()),
               fmt::format("{}", version.train_count()),
               fmt::format("{}", version.validation_count()),
               fmt::format("{}", version.test_count()),
               ShortDigest(version.sha256(), shell.piped()),
               version.options().label(),
               version.sha256(),
               Spell(version.create_time(), shell.piped())});
    result.names.push_back(version.name());
  }
  result.text = table.ToString(shell.style());
  shell.Print(result);
  return absl::OkStatus();
}

// The most frequent values, or the figures of a number.
std::vector<std::string> ValueCells(const ColumnStatistics& column, schema::v1::ColumnType type) {
  std::vector<std::string> cells(4);
  if (column.has_numbers()) {
    cells[0] = SpellCell(column.numbers().minimum(), type);
    cells[1] = SpellCell(column.numbers().mean(), type);
    cells[2] = SpellCell(column.numbers().maximum(), type);
  }
  constexpr int kShown = 3;
  std::vector<std::string> top;
  for (int i = 0; i < std::min(kShown, column.top_values_size()); ++i) {
    top.push_back(fmt::format("{} {}", column.top_values(i).value(), column.top_values(i).count()));
  }
  if (column.top_values_size() > kShown) {
    top.emplace_back("...");
  }
  cells[3] = fmt::format("{}", fmt::join(top, ", "));
  return cells;
}

std::string SchemaTable(const schema::v1::Schema& schema, TableStyle style) {
  Table table({"COLUMN", "TYPE", "ROLE", "WHY"});
  for (const Column& column : schema.columns()) {
    table.Add({column.name(), Spell(column.type()), Spell(column.role()), column.reason()});
  }
  return table.ToString(style);
}

std::string StatisticsTable(const Statistics& raw,
                            const schema::v1::Schema& schema,
                            TableStyle style) {
  Table table(
      {"COLUMN", ">MISSING", ">DISTINCT", ">MINIMUM", ">MEAN", ">MAXIMUM", "MOST FREQUENT"});
  for (const ColumnStatistics& column : raw.columns()) {
    std::vector<std::string> cells{
        column.column(),
        fmt::format("{}", column.missing_count()),
        fmt::format("{}{}", column.distinct_estimated() ? "~" : "", column.distinct_count())};
    const std::vector<std::string> values = ValueCells(column, TypeOf(schema, column.column()));
    cells.insert(cells.end(), values.begin(), values.end());
    table.Add(std::move(cells));
  }
  return table.ToString(style);
}

absl::StatusOr<data::v1::GetStatisticsResponse> GetStatistics(const DatasetVersion& version,
                                                              Shell& shell) {
  data::v1::GetStatisticsRequest request;
  request.set_name(version.name());
  return shell.connection.Call(shell.connection.Data(), &DataStub::GetStatistics, request);
}

// Of the effects of cleaning, where there are more; the import told them all.
constexpr int kEffectsShown = 8;

absl::Status Show(const std::string& name, Shell& shell) {
  ASSIGN_OR_RETURN(const DatasetVersion version, GetVersion(name, shell));
  ASSIGN_OR_RETURN(const data::v1::GetStatisticsResponse statistics, GetStatistics(version, shell));
  shell.Print(
      {.json = fmt::format(
           "{{\"dataset\": {}, \"statistics\": {}}}\n", ToJson(version), ToJson(statistics)),
       .text =
           SchemaTable(version.schema(), shell.page()) + "\n" +
           StatisticsTable(statistics.raw(), version.schema(), shell.page()) + "\n" +
           ImportSummary(
               version, shell.page(), shell.page().wide ? version.effects_size() : kEffectsShown),
       .names = {version.name()}});
  shell.console.Note(
      fmt::format("next: millrace run start --dataset {}", ShortName(version.name())));
  return absl::OkStatus();
}

// The statistics of one part of a version.
const Statistics& PartOf(const data::v1::GetStatisticsResponse& all, const std::string& part) {
  return part == "raw"          ? all.raw()
         : part == "train"      ? all.train()
         : part == "validation" ? all.validation()
                                : all.test();
}

absl::Status Profile(const std::string& name, const std::string& part, Shell& shell) {
  ASSIGN_OR_RETURN(const DatasetVersion version, GetVersion(name, shell));
  ASSIGN_OR_RETURN(const data::v1::GetStatisticsResponse all, GetStatistics(version, shell));
  const Statistics& statistics = PartOf(all, part);
  const std::string what =
      fmt::format("{}, {}: {} rows", ShortName(version.name()), part, statistics.row_count());
  if (shell.piped() && shell.for_people()) {
    shell.console.Note(what);
  }
  shell.Print({.json = ToJson(statistics),
               .text = (shell.piped() ? "" : what + "\n") +
                       ProfileTable(version, statistics, shell.style(), SpeaksUtf8()),
               .names = {version.name()}});
  return absl::OkStatus();
}

void AddProfile(CLI::App& noun, Action& chosen) {
  const auto part = std::make_shared<std::string>("raw");
  AddNamed(noun,
           chosen,
           {"profile", "each column with its distribution", "DATASET", "NAME or NAME@VERSION"},
           [part](const std::string& name, Shell& shell) { return Profile(name, *part, shell); })
      ->add_option("--of", *part, "raw (the file as it came; default), train, validation or test")
      ->check(CLI::IsMember({"raw", "train", "validation", "test"}));
}

bool IsVersion(const std::string& full_name) {
  return full_name.find("/versions/") != std::string::npos;
}

absl::Status LookAt(const std::string& full_name, Shell& shell) {
  ASSIGN_OR_RETURN(const DatasetVersion version, GetVersion(full_name, shell));
  // The version may be named by its digest.
  TellWhatStandsOn(IsVersion(full_name) ? version.name() : full_name, shell);
  return absl::OkStatus();
}

// A version, or a dataset with all that it has.
absl::StatusOr<data::v1::DeleteDatasetResponse> Delete(const std::string& full_name, Shell& shell) {
  if (IsVersion(full_name)) {
    data::v1::DeleteDatasetVersionRequest request;
    request.set_name(full_name);
    RETURN_IF_ERROR(
        shell.connection.Call(shell.connection.Data(), &DataStub::DeleteDatasetVersion, request)
            .status());
    data::v1::DeleteDatasetResponse one;
    one.set_deleted_count(1);
    return one;
  }
  data::v1::DeleteDatasetRequest request;
  request.set_name(full_name);
  request.set_force(true);
  return shell.connection.Call(shell.connection.Data(), &DataStub::DeleteDataset, request);
}

absl::Status Remove(const std::string& full_name, Shell& shell) {
  ASSIGN_OR_RETURN(const data::v1::DeleteDatasetResponse response, Delete(full_name, shell));
  shell.Print({.json = ToJson(response),
               .text = fmt::format("deleted {} version(s)\n", response.deleted_count()),
               .names = {full_name}});
  return absl::OkStatus();
}

void AddImport(CLI::App& noun, Action& chosen) {
  const auto words = std::make_shared<ImportWords>();
  CLI::App* const verb = noun.add_subcommand("import", "make a dataset version of a file");
  verb->add_option("FILE", words->file, "a CSV file")->required();
  verb->add_option("--name", words->name, "the dataset's name")->required();
  const auto text = [verb](const char* flag, std::string* field, const char* help) {
    verb->add_option(flag, *field, help);
  };
  text("--label", words->options.mutable_label(), "the column to learn");
  text("--positive", words->options.mutable_positive_class(), "the class that counts as positive");
  text("--delimiter", words->options.mutable_delimiter(), "one character; detected when not given");
  text("--scaling", &words->scaling, "min_max (default), standard or none");
  verb->add_flag("--header", words->header, "the first record names the columns");
  verb->add_flag("--no-header", words->no_header, "it does not")->excludes("--header");
  const auto list = [verb](const char* flag, std::vector<std::string>* field, const char* help) {
    verb->add_option(flag, *field, help)->allow_extra_args(false);
  };
  list("--missing",
       &words->missing,
       "a text that means no value, in place of NA, ? and such; may be repeated");
  list("--drop", &words->drop, "a column to keep out; may be repeated");
  list("--type", &words->types, "COLUMN=TYPE, for example zip=category; may be repeated");
  verb->add_flag_function(
      "--keep-duplicates",
      [words](std::int64_t) { words->options.set_keep_duplicates(true); },
      "keep rows that repeat an earlier one");
  const auto number = [verb](const char* flag, std::function<void(double)> set, const char* help) {
    verb->add_option_function<double>(flag, std::move(set), help);
  };
  number(
      "--train-fraction",
      [words](double value) { words->options.set_train_fraction(value); },
      "share of rows to train on; 0.7 when not given");
  number(
      "--validation-fraction",
      [words](double value) { words->options.set_validation_fraction(value); },
      "share of rows to validate on; read with --train-fraction");
  verb->add_option_function<std::int64_t>(
      "--split-seed",
      [words](std::int64_t value) { words->options.set_split_seed(value); },
      "another seed, another split");
  AddConsent(*verb, words->consent, /*asks=*/false);
  verb->callback(
      [words, &chosen] { chosen = [words](Shell& shell) { return Import(*words, shell); }; });
}

}  // namespace

void AddDataset(CLI::App& app, Action& chosen) {
  CLI::App* const noun =
      app.add_subcommand("dataset", "versions of raw files, ready to learn from");
  AddImport(*noun, chosen);

  AddList(*noun,
          chosen,
          {"ls", "list versions, newest first", "DATASET", "only this one's versions", false},
          ListVersions);
  AddNamed(*noun,
           chosen,
           {"show", "schema, statistics and what cleaning did", "DATASET", "NAME or NAME@VERSION"},
           Show);
  AddProfile(*noun, chosen);
  AddRemove(*noun,
            chosen,
            {"rm",
             "delete a version, or all of a dataset's",
             "DATASET",
             "NAME for all versions, or NAME@VERSION"},
            {.collection = "datasets", .look = LookAt, .act = Remove});
}

}  // namespace millrace::cli
