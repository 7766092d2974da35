#include "clients/cli/predict_dataset.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.grpc.pb.h"
#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/answers_file.h"
#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/import.h"
#include "clients/cli/predictions.h"
#include "clients/cli/private_file.h"
#include "clients/cli/progress.h"
#include "clients/cli/reference.h"
#include "clients/cli/row_source.h"
#include "clients/cli/standing.h"
#include "common/resource/name.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/storage/sha256.h"

namespace millrace::cli {

namespace {

using data::v1::DatasetVersion;
using data::v1::ImportHeader;
using data::v1::ReadRowsRequest;
using data::v1::ReadRowsResponse;
using serving::v1::ModelVersion;
using serving::v1::Prediction;
using serving::v1::PredictRequest;
using serving::v1::PredictResponse;

constexpr int kRowsMax = 4096;  // a call's

std::string Probability(const std::string& name) {
  return "probability " + name;
}

const google::protobuf::RepeatedPtrField<std::string>& Classes(const ModelVersion& version) {
  return version.manifest().transforms().label().classes();
}

std::string HeaderLine(const ModelVersion& version) {
  std::string line = Classes(version).empty() ? "row,value" : "row,predicted";
  for (const std::string& name : Classes(version)) {
    line += "," + CsvCell(Probability(name));
  }
  return line + "\n";
}

// Floats in the fewest digits that lead back to them.
std::string Lines(std::int64_t first_row, const PredictResponse& response) {
  std::string lines;
  for (const Prediction& prediction : response.predictions()) {
    lines += fmt::format("{}", first_row++);
    lines += prediction.probabilities().empty() ? fmt::format(",{}", prediction.value())
                                                : "," + CsvCell(prediction.label());
    for (const float probability : prediction.probabilities()) {
      lines += fmt::format(",{}", probability);
    }
    lines += "\n";
  }
  return lines;
}

// How the answers are read: nothing is left to detection, so that the digest depends on them alone.
ImportHeader Header(const DatasetWords& words,
                    const DatasetVersion& dataset,
                    const ModelVersion& version) {
  ImportHeader header;
  header.set_dataset(FullName("datasets", words.into));
  data::v1::ImportOptions& options = *header.mutable_options();
  options.set_delimiter(",");
  options.set_header(data::v1::ImportOptions::HEADER_PRESENT);
  options.set_keep_duplicates(true);
  // A class is never one of these: in the dataset that it comes from, they mean no value.
  *options.mutable_missing_spellings() = dataset.options().missing_spellings();
  auto& types = *options.mutable_column_types();
  types["row"] = schema::v1::COLUMN_TYPE_INTEGER;
  if (Classes(version).empty()) {
    types["value"] = schema::v1::COLUMN_TYPE_REAL;
  } else {
    types["predicted"] = schema::v1::COLUMN_TYPE_CATEGORY;
  }
  for (const std::string& name : Classes(version)) {
    types[Probability(name)] = schema::v1::COLUMN_TYPE_REAL;
  }
  return header;
}

// The same work has the same folder, and nothing else has.
std::string FolderFor(const DatasetWords& words,
                      const DatasetVersion& dataset,
                      const ModelVersion& version) {
  const std::string work = fmt::format("predictions 1\n{}\n{}\n{}\n",
                                       version.manifest().lineage().bundle_sha256(),
                                       dataset.sha256(),
                                       words.into);
  return fmt::format("{}/predictions/{}",
                     UserFolder("XDG_STATE_HOME", ".local/state"),
                     storage::ToHex(storage::Sha256Of(work)).substr(0, 32));
}

// Cells of the columns that the model looks at, as a request.
class FeatureRows {
 public:
  explicit FeatureRows(const ModelVersion& version) : version_(version) {
    request_.set_model(version.name());
  }

  // INVALID_ARGUMENT when none of the columns is a feature.
  absl::Status SetColumns(const google::protobuf::RepeatedPtrField<std::string>& columns) {
    const auto& features = version_.manifest().transforms().features();
    request_.clear_columns();
    places_.clear();
    for (int place = 0; place < columns.size(); ++place) {
      if (std::any_of(features.begin(), features.end(), [&](const auto& feature) {
            return feature.column().name() == columns[place];
          })) {
        places_.push_back(place);
        request_.add_columns(columns[place]);
      }
    }
    return places_.empty() ? WithFix(InvalidArgument("the dataset has no feature of {}",
                                                     ShortName(version_.name())),
                                     fmt::format("'millrace model show {}' lists the features",
                                                 ShortName(version_.name())))
                           : absl::OkStatus();
  }

  const PredictRequest& Request(const ReadRowsResponse& part) {
    request_.clear_rows();
    for (const schema::v1::Row& row : part.rows()) {
      schema::v1::Row& picked = *request_.add_rows();
      for (const int place : places_) {
        *picked.add_values() = place < row.values_size() ? row.values(place) : schema::v1::Value();
      }
    }
    return request_;
  }

 private:
  const ModelVersion& version_;
  PredictRequest request_;
  std::vector<int> places_;  // of the features in a row of the dataset
};

// Answers one message of rows.
absl::Status Answer(const ReadRowsResponse& part,
                    FeatureRows& rows,
                    AnswersFile& answers,
                    Shell& shell) {
  if (part.first_row() != answers.rows()) {
    return Internal(
        "the data service must send row {}, found row {}", answers.rows(), part.first_row());
  }
  if (!part.columns().empty()) {
    RETURN_IF_ERROR(rows.SetColumns(part.columns()));
  }
  if (part.rows().empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const PredictResponse response, PredictBatch(shell, rows.Request(part)));
  return answers.Append(Lines(part.first_row(), response), response.predictions_size());
}

// Answers all rows that have no answer yet.
absl::Status AnswerAll(const DatasetVersion& dataset,
                       const ModelVersion& version,
                       AnswersFile& answers,
                       Shell& shell) {
  ASSIGN_OR_RETURN(DataStub* const stub, shell.connection.Data());
  ReadRowsRequest request;
  request.set_name(dataset.name());
  request.set_first_row(answers.rows());
  request.set_rows_max(LimitsFor(Classes(version).size(), kRowsMax).rows_max);
  CallContext context(kTransferMax, shell.connection.stop(), shell.connection.request_id());
  const std::unique_ptr<grpc::ClientReader<ReadRowsResponse>> reader =
      stub->ReadRows(context.get(), request);
  FeatureRows rows(version);
  Progress progress(shell.console, "predicting", dataset.row_count());
  absl::Status answered;
  for (ReadRowsResponse part; answered.ok() && reader->Read(&part);) {
    answered = Answer(part, rows, answers, shell);
    progress.Update(answers.rows(), fmt::format("{} rows", answers.rows()));
  }
  if (!answered.ok()) {
    context.get()->TryCancel();
  }
  const absl::Status read = FromGrpcStatus(reader->Finish());
  RETURN_IF_ERROR(answered);
  if (absl::IsCancelled(read) && shell.connection.stop().stop_requested()) {
    return Cancelled("interrupted");
  }
  RETURN_IF_ERROR(read);
  return answers.rows() == dataset.row_count()
             ? absl::OkStatus()
             : Internal("the data service must send {} rows, found {}",
                        dataset.row_count(),
                        answers.rows());
}

absl::StatusOr<DatasetVersion> GetDataset(const std::string& name, Shell& shell) {
  data::v1::GetDatasetRequest request;
  request.set_name(FullName("datasets", name));
  return shell.connection.Call(shell.connection.Data(), &DataStub::GetDataset, request);
}

google::protobuf::RepeatedPtrField<std::string> NamesOf(const DatasetVersion& dataset) {
  google::protobuf::RepeatedPtrField<std::string> names;
  for (const schema::v1::Column& column : dataset.schema().columns()) {
    *names.Add() = column.name();
  }
  return names;
}

// Whether `dataset` holds answers that were made like those to come.
bool HoldsAnswers(const DatasetVersion& dataset, const ImportHeader& header) {
  const auto& wanted = header.options().column_types();
  const auto& found = dataset.options().column_types();
  return wanted.size() == found.size() &&
         std::all_of(wanted.begin(), wanted.end(), [&found](const auto& entry) {
           return found.contains(entry.first);
         });
}

// The newest version of a dataset is what its name means: answers must not take the place of what
// models learn from.
absl::Status CheckInto(const ImportHeader& header, const DatasetVersion& asked, Shell& shell) {
  RETURN_IF_ERROR(ParseVersionedName("datasets", "header.dataset", header.dataset()).status());
  const absl::StatusOr<DatasetVersion> newest = GetDataset(header.dataset(), shell);
  if (absl::IsNotFound(newest.status())) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(newest.status());
  if (HoldsAnswers(*newest, header)) {
    return absl::OkStatus();
  }
  const std::string name = ShortName(header.dataset());
  const std::string fix = fmt::format("name another one, for example --into {}-answers", name);
  if (IsOf(asked.name(), header.dataset())) {
    return WithFix(FailedPrecondition("--into must not be the dataset that is asked about, found "
                                      "'{}'",
                                      name),
                   fix);
  }
  ASSIGN_OR_RETURN(const std::vector<ModelVersion> models,
                   ModelsTrainedOn(header.dataset(), shell));
  return models.empty() ? absl::OkStatus()
                        : WithFix(FailedPrecondition(
                                      "--into must not be a dataset that models are trained on, "
                                      "found '{}', of which {} is",
                                      name,
                                      ShortName(models.front().name())),
                                  fix);
}

}  // namespace

void AddDatasetFlags(CLI::App& verb, DatasetWords& words) {
  verb.add_option("--dataset", words.dataset, "all rows of a dataset: NAME or NAME@VERSION");
  verb.add_option("--into", words.into, "the dataset that gets the answers as a new version");
  AddConsent(verb, words.consent, /*asks=*/false);
}

absl::Status PredictDataset(const DatasetWords& words, const ModelVersion& version, Shell& shell) {
  ASSIGN_OR_RETURN(const DatasetVersion dataset, GetDataset(words.dataset, shell));
  const ImportHeader header = Header(words, dataset, version);
  RETURN_IF_ERROR(CheckInto(header, dataset, shell));
  if (words.consent.dry_run) {
    RETURN_IF_ERROR(FeatureRows(version).SetColumns(NamesOf(dataset)));
  }
  if (IsDryRun(shell,
               words.consent,
               fmt::format("predict {} rows of {} by {}, and import the answers as {}",
                           dataset.row_count(),
                           ShortName(dataset.name()),
                           ShortName(version.name()),
                           words.into))) {
    return absl::OkStatus();
  }
  const std::string file_name =
      fmt::format("{} of {}.csv", ShortName(version.name()), ShortName(dataset.name()));
  ASSIGN_OR_RETURN(AnswersFile answers, AnswersFile::Open(FolderFor(words, dataset, version)));
  if (answers.rows() > 0) {
    shell.console.Note(fmt::format("going on at row {}", answers.rows()));
  }
  if (answers.rows() < dataset.row_count()) {
    if (const absl::Status status = AnswerAll(dataset, version, answers, shell); !status.ok()) {
      return Fix(status).empty() || absl::IsCancelled(status)
                 ? WithFix(status,
                           fmt::format("the same command goes on at row {}", answers.rows()))
                 : status;
    }
  }
  ASSIGN_OR_RETURN(const std::string path, answers.Join(file_name, HeaderLine(version)));
  ASSIGN_OR_RETURN(const DatasetVersion made, ImportFile(shell, path, header));
  RETURN_IF_ERROR(answers.Remove());
  shell.Print(
      {.json = ToJson(made), .text = ImportSummary(made, shell.page()), .names = {made.name()}});
  shell.console.Note(fmt::format("next: millrace dataset show {}", ShortName(made.name())));
  return absl::OkStatus();
}

}  // namespace millrace::cli
