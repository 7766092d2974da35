// ReadRows: a dataset version's rows on their way to a client.

#pragma once

#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.pb.h"

#include "services/data/rpc/read_call.h"

namespace millrace::data {

/// Answers ReadRows; holds a segment of each column. Does not own `parts` and `request`, which
/// outlive the call.
grpc::ServerWriteReactor<v1::ReadRowsResponse>* StartReadRows(const ReadParts& parts,
                                                              const v1::ReadRowsRequest& request);

}  // namespace millrace::data
