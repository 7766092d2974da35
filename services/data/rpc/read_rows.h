// ReadRowsCall: one ReadRows call.

#pragma once

#include <atomic>
#include <optional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.pb.h"

#include "services/data/read/row_reader.h"
#include "services/data/rpc/read_call.h"

namespace millrace::data {

/// Reads a message on the pool, writes it, and reads the next only when it is written: a slow
/// reader holds one message and a segment of each column. Deletes itself when the call is done.
class ReadRowsCall final : public grpc::ServerWriteReactor<v1::ReadRowsResponse> {
 public:
  /// Does not own `parts` and `request`, which outlive the call.
  ReadRowsCall(const ReadParts& parts, const v1::ReadRowsRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Step();
  absl::StatusOr<bool> Read();
  absl::Status Open();

  const ReadParts& parts_;
  const v1::ReadRowsRequest& request_;
  std::atomic<bool> cancelled_{false};
  std::optional<RowReader> reader_;
  v1::ReadRowsResponse response_;
};

}  // namespace millrace::data
