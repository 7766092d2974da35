#include "clients/cli/upload.h"

#include <cstddef>
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
#include "clients/cli/sending.h"
#include "clients/cli/uploads.h"
#include "common/clock/random.h"
#include "common/model/bundle.h"
#include "common/model/signature.h"
#include "common/status/status.h"
#include "common/transfer/upload_call.h"

namespace millrace::cli {

using serving::v1::ModelVersion;
using serving::v1::UploadHeader;
using serving::v1::UploadModelRequest;

absl::StatusOr<UploadHeader> HeaderOfBundle(const std::string& path, const std::string& model) {
  ASSIGN_OR_RETURN(InputFile input, OpenInput(path, "a bundle"));
  UploadHeader header;
  header.set_model(model);
  header.set_size_bytes(input.size_bytes);
  std::string bytes(static_cast<std::size_t>(input.size_bytes), '\0');
  input.stream.read(bytes.data(), input.size_bytes);
  ASSIGN_OR_RETURN(const model::Bundle bundle, model::ReadBundle(bytes));
  *header.mutable_signature() = model::SignatureOf(bundle.manifest.transforms());
  return header;
}

absl::StatusOr<ModelVersion> UploadBundle(Shell& shell,
                                          const std::string& path,
                                          const UploadHeader& header) {
  ASSIGN_OR_RETURN(InputFile input, OpenInput(path, "a bundle"));
  ASSIGN_OR_RETURN(ServingStub* const stub, shell.connection.Serving());
  transfer::UploadCall<UploadModelRequest, ModelVersion> call{
      .header = {},
      .open = [stub](grpc::ClientContext* context,
                     ModelVersion* version) { return stub->UploadModel(context, version); },
      .ask =
          [stub](grpc::ClientContext* context,
                 const transfer::v1::GetUploadRequest& request,
                 transfer::v1::Upload* upload) {
            return stub->GetUpload(context, request, upload);
          }};
  *call.header.mutable_header() = header;
  call.header.mutable_header()->set_upload_id(RandomHex(16));
  const std::string upload_id = call.header.header().upload_id();
  Progress progress(shell.console, "uploading " + ShortName(header.model()), input.size_bytes);
  const std::stop_token& stop = shell.connection.stop();
  absl::StatusOr<ModelVersion> version =
      transfer::SendUpload(std::move(call),
                           SourceOf(input),
                           SendingOptions(shell, progress, "checking and loading"),
                           stop);
  if (absl::IsCancelled(version.status()) && stop.stop_requested()) {
    return WithFix(Cancelled("interrupted; {}", GiveUpUpload(shell, Service::kServing, upload_id)),
                   "'millrace model ls' shows whether it arrived");
  }
  return version;
}

}  // namespace millrace::cli
