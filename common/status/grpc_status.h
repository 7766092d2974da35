// GrpcStatus: the one place where our errors become gRPC's, and back.

#pragma once

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

namespace millrace {

/// The same code for the wire (the numbers are equal by definition of google.rpc.Code). The message
/// is cut at 1 KiB, because longer ones can destroy the code on the way (gRPC's metadata limit);
/// it stands in the `google.rpc.Status` details, too, which Go and Java read instead of it. The fix
/// travels there as a `google.rpc.Help`, how long to wait as a `google.rpc.RetryInfo`.
grpc::Status ToGrpcStatus(const absl::Status& status);

/// The reverse, for errors that a peer sent.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace millrace
