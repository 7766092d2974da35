#include "clients/cli/import.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.grpc.pb.h"
#include "millrace/transfer/v1/transfer.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/input_file.h"
#include "clients/cli/progress.h"
#include "clients/cli/reference.h"
#include "clients/cli/sending.h"
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"
#include "clients/cli/uploads.h"
#include "common/clock/random.h"
#include "common/status/status.h"
#include "common/transfer/upload_call.h"

namespace millrace::cli {

namespace {

using data::v1::DatasetVersion;
using data::v1::ImportDatasetRequest;
using data::v1::ImportHeader;

using Call = transfer::UploadCall<ImportDatasetRequest, DatasetVersion>;

Call CallOf(DataStub& stub, const ImportHeader& header, const std::string& path) {
  Call call{
      .header = {},
      .open = [&stub](grpc::ClientContext* context,
                      DatasetVersion* version) { return stub.ImportDataset(context, version); },
      .ask =
          [&stub](grpc::ClientContext* context,
                  const transfer::v1::GetUploadRequest& request,
                  transfer::v1::Upload* upload) {
            return stub.GetUpload(context, request, upload);
          }};
  *call.header.mutable_header() = header;
  call.header.mutable_header()->set_file_name(std::filesystem::path(path).filename().string());
  call.header.mutable_header()->set_upload_id(RandomHex(16));
  return call;
}

}  // namespace

absl::StatusOr<DatasetVersion> ImportFile(Shell& shell,
                                          const std::string& path,
                                          const ImportHeader& header) {
  ASSIGN_OR_RETURN(InputFile input, OpenInput(path, "a CSV file"));
  ASSIGN_OR_RETURN(DataStub* const stub, shell.connection.Data());
  Progress progress(shell.console, "importing " + ShortName(header.dataset()), input.size_bytes);
  const std::stop_token& stop = shell.connection.stop();
  const Call call = CallOf(*stub, header, path);
  absl::StatusOr<DatasetVersion> version =
      transfer::SendUpload(call,
                           SourceOf(input),
                           SendingOptions(shell, progress, "reading, cleaning and splitting"),
                           stop);
  if (absl::IsCancelled(version.status()) && stop.stop_requested()) {
    const std::string left = GiveUpUpload(shell, Service::kData, call.header.header().upload_id());
    return WithFix(Cancelled("interrupted; {}", left),
                   "'millrace dataset ls' shows whether the file was imported");
  }
  return version;
}

std::string ImportSummary(const DatasetVersion& version, TableStyle style, int effects_max) {
  Table facts;
  facts.Add({"dataset",
             ShortName(version.name()),
             "sha256:" + ShortDigest(version.sha256(), style.wide)});
  facts.Add({"rows",
             fmt::format("{}", version.row_count()),
             fmt::format("train {}, validation {}, test {}",
                         version.train_count(),
                         version.validation_count(),
                         version.test_count())});
  facts.Add({"columns",
             fmt::format("{}", version.schema().columns_size()),
             version.options().label().empty() ? "no label"
                                               : "label '" + version.options().label() + "'"});
  if (version.transforms().task() != schema::v1::TASK_UNSPECIFIED) {
    const int classes = version.transforms().label().classes_size();
    facts.Add({"task",
               Spell(version.transforms().task()),
               classes > 0 ? fmt::format("{} classes", classes) : "a number"});
  }
  std::string text = facts.ToString(style);
  if (version.effects().empty()) {
    return text + "cleaning found nothing to do\n";
  }
  Table effects({"CLEANING", "COLUMN", ">COUNT", "WHAT"});
  for (int i = 0; i < std::min(effects_max, version.effects_size()); ++i) {
    const data::v1::CleaningEffect& effect = version.effects(i);
    effects.Add(
        {effect.rule(), effect.column(), fmt::format("{}", effect.count()), effect.explanation()});
  }
  text += effects.ToString(style);
  return version.effects_size() <= effects_max
             ? text
             : text + fmt::format("and {} more; -o wide and -o json have all\n",
                                  version.effects_size() - effects_max);
}

}  // namespace millrace::cli
