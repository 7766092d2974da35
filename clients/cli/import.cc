#include "clients/cli/import.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
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
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/transfer/transfer.h"

namespace millrace::cli {

namespace {

using data::v1::DatasetVersion;
using data::v1::ImportDatasetRequest;
using data::v1::ImportHeader;

absl::StatusOr<std::string> ReadSome(std::ifstream& stream, std::int64_t bytes_max) {
  std::string bytes(static_cast<std::size_t>(bytes_max), '\0');
  stream.read(bytes.data(), bytes_max);
  if (stream.bad()) {
    return DataLoss("reading the file failed: {}", std::strerror(errno));
  }
  bytes.resize(static_cast<std::size_t>(stream.gcount()));
  return bytes;
}

// Writes the chunks and the close of `input`. Ends early, without an error, when the service has
// ended the call: its own status tells why.
absl::Status SendChunks(InputFile& input,
                        grpc::ClientWriter<ImportDatasetRequest>& writer,
                        Progress& progress) {
  ImportDatasetRequest request;
  return transfer::Send(
      [&input](std::int64_t bytes_max) { return ReadSome(input.stream, bytes_max); },
      [&](const transfer::v1::Chunk& chunk) {
        *request.mutable_chunk() = chunk;
        const std::int64_t sent = chunk.offset() + static_cast<std::int64_t>(chunk.data().size());
        progress.Update(sent, SpellBytes(sent));
        return writer.Write(request);
      },
      [&](const transfer::v1::Close& close) {
        *request.mutable_close() = close;
        return writer.Write(request);
      });
}

}  // namespace

absl::StatusOr<DatasetVersion> ImportFile(Shell& shell,
                                          const std::string& path,
                                          const ImportHeader& header) {
  ASSIGN_OR_RETURN(InputFile input, OpenInput(path, "a CSV file"));
  ASSIGN_OR_RETURN(DataStub* const stub, shell.connection.Data());
  CallContext context(kTransferMax, shell.connection.stop());
  DatasetVersion version;
  const std::unique_ptr<grpc::ClientWriter<ImportDatasetRequest>> writer =
      stub->ImportDataset(context.get(), &version);
  ImportDatasetRequest request;
  *request.mutable_header() = header;
  request.mutable_header()->set_file_name(std::filesystem::path(path).filename().string());
  absl::Status sent;
  {
    Progress progress(shell.console, "importing " + ShortName(header.dataset()), input.size_bytes);
    if (writer->Write(request)) {
      sent = SendChunks(input, *writer, progress);
    }
    if (!sent.ok()) {
      context.get()->TryCancel();
    }
    writer->WritesDone();
  }
  shell.console.Redraw("reading, cleaning and splitting");
  const absl::Status ended = FromGrpcStatus(writer->Finish());
  shell.console.Redraw({});
  RETURN_IF_ERROR(sent);
  if (absl::IsCancelled(ended) && shell.connection.stop().stop_requested()) {
    return WithFix(Cancelled("interrupted"),
                   "'millrace dataset ls' shows whether the file was imported");
  }
  RETURN_IF_ERROR(ended);
  return version;
}

std::string ImportSummary(const DatasetVersion& version) {
  Table facts;
  facts.Add({"dataset", ShortName(version.name()), "sha256:" + ShortDigest(version.sha256())});
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
  std::string text = facts.ToString();
  if (version.effects().empty()) {
    return text + "cleaning found nothing to do\n";
  }
  Table effects({"CLEANING", "COLUMN", ">COUNT", "WHAT"});
  for (const data::v1::CleaningEffect& effect : version.effects()) {
    effects.Add(
        {effect.rule(), effect.column(), fmt::format("{}", effect.count()), effect.explanation()});
  }
  return text + effects.ToString();
}

}  // namespace millrace::cli
