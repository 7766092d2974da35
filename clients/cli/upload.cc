#include "clients/cli/upload.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "millrace/serving/v1/serving_service.grpc.pb.h"
#include "millrace/transfer/v1/transfer.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/input_file.h"
#include "clients/cli/progress.h"
#include "clients/cli/reference.h"
#include "clients/cli/spelling.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/transfer/transfer.h"

namespace millrace::cli {

using serving::v1::ModelVersion;
using serving::v1::UploadModelRequest;

absl::StatusOr<ModelVersion> UploadBundle(Shell& shell,
                                          const std::string& path,
                                          const std::string& model) {
  ASSIGN_OR_RETURN(InputFile input, OpenInput(path, "a bundle"));
  ASSIGN_OR_RETURN(ServingStub* const stub, shell.connection.Serving());
  CallContext context(kTransferMax, shell.connection.stop(), shell.connection.request_id());
  ModelVersion version;
  const std::unique_ptr<grpc::ClientWriter<UploadModelRequest>> writer =
      stub->UploadModel(context.get(), &version);
  UploadModelRequest request;
  request.mutable_header()->set_model(model);
  writer->Write(request);  // an error is told by Finish()
  absl::Status sent;
  {
    Progress progress(shell.console, "uploading " + ShortName(model), input.size_bytes);
    sent = transfer::Send(
        [&input](std::int64_t bytes_max) -> absl::StatusOr<std::string> {
          std::string bytes(static_cast<std::size_t>(bytes_max), '\0');
          input.stream.read(bytes.data(), bytes_max);
          bytes.resize(static_cast<std::size_t>(input.stream.gcount()));
          return input.stream.bad() ? DataLoss("reading the bundle failed")
                                    : absl::StatusOr<std::string>(std::move(bytes));
        },
        [&](const transfer::v1::Chunk& chunk) {
          *request.mutable_chunk() = chunk;
          const std::int64_t done = chunk.offset() + static_cast<std::int64_t>(chunk.data().size());
          progress.Update(done, SpellBytes(done));
          return writer->Write(request);
        },
        [&](const transfer::v1::Close& close) {
          *request.mutable_close() = close;
          return writer->Write(request);
        });
  }
  if (!sent.ok()) {
    context.get()->TryCancel();
  }
  writer->WritesDone();
  const absl::Status ended = FromGrpcStatus(writer->Finish());
  RETURN_IF_ERROR(sent);
  if (absl::IsCancelled(ended) && shell.connection.stop().stop_requested()) {
    return WithFix(Cancelled("interrupted"), "'millrace model ls' shows whether it arrived");
  }
  RETURN_IF_ERROR(ended);
  return version;
}

}  // namespace millrace::cli
