#include "clients/cli/import.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.grpc.pb.h"
#include "millrace/transfer/v1/transfer.pb.h"

#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/transfer/transfer.h"

#include "clients/cli/progress.h"
#include "clients/cli/reference.h"
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"

namespace millrace::cli {

namespace {

using data::v1::DatasetVersion;
using data::v1::ImportDatasetRequest;
using data::v1::ImportHeader;

// An open file and its size.
struct Input {
  std::ifstream stream;
  std::int64_t size_bytes = 0;
};

absl::StatusOr<Input> Open(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) {
    return WithFix(NotFound("there is no file '{}'", path), "give the path of a CSV file");
  }
  Input input{.stream = std::ifstream(path, std::ios::binary), .size_bytes = 0};
  if (error || !input.stream) {
    return InvalidArgument(
        "cannot read '{}': {}", path, error ? error.message() : std::strerror(errno));
  }
  input.size_bytes = static_cast<std::int64_t>(size);
  return input;
}

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
absl::Status SendChunks(Input& input,
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
  ASSIGN_OR_RETURN(Input input, Open(path));
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
    Progress progress(shell.console, "importing " + header.dataset(), input.size_bytes);
    if (writer->Write(request)) {
      sent = SendChunks(input, *writer, progress);
    }
    if (!sent.ok()) {
      context.get()->TryCancel();
    }
    writer->WritesDone();
  }
  const grpc::Status ended = writer->Finish();
  RETURN_IF_ERROR(sent);
  if (shell.connection.stop().stop_requested() && !ended.ok()) {
    return Cancelled("interrupted: nothing was imported");
  }
  RETURN_IF_ERROR(FromGrpcStatus(ended));
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
    effects.Add({effect.rule(),
                 effect.column(),
                 fmt::format("{}", effect.count()),
                 effect.explanation()});
  }
  return text + effects.ToString();
}

}  // namespace millrace::cli
