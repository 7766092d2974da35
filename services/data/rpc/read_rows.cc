#include "services/data/rpc/read_rows.h"

#include <memory>
#include <utility>

#include "common/features/column_segments.h"
#include "common/resource/name.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::data {

ReadRowsCall::ReadRowsCall(const ReadParts& parts, const v1::ReadRowsRequest& request)
    : parts_(parts),
      request_(request) {
  Step();
}

void ReadRowsCall::OnWriteDone(bool ok) {
  if (ok) {
    Step();
  } else {
    Finish(ToGrpcStatus(Cancelled("the reader has gone")));
  }
}

void ReadRowsCall::OnCancel() {
  cancelled_ = true;
}

void ReadRowsCall::OnDone() {
  delete this;
}

void ReadRowsCall::Step() {
  const absl::Status submitted = parts_.disk.Submit([this] {
    const absl::StatusOr<bool> more = Read();
    if (more.ok() && *more) {
      StartWrite(&response_);  // last: the write may be done before this returns
    } else {
      Finish(ToGrpcStatus(more.status()));
    }
  });
  if (!submitted.ok()) {
    Finish(ToGrpcStatus(submitted));
  }
}

absl::StatusOr<bool> ReadRowsCall::Read() {
  if (cancelled_) {
    return Cancelled("the reader has cancelled");
  }
  if (!reader_.has_value()) {
    RETURN_IF_ERROR(Open());
  }
  return reader_->Next(response_);
}

absl::Status ReadRowsCall::Open() {
  ASSIGN_OR_RETURN(VersionedName name, ParseVersionedName("datasets", "name", request_.name()));
  ASSIGN_OR_RETURN(name.sha256, parts_.store.Resolve(name));
  ASSIGN_OR_RETURN(std::unique_ptr<const features::ColumnSegments> rows,
                   parts_.store.OpenRows(name));
  ASSIGN_OR_RETURN(reader_, RowReader::Create(std::move(rows), request_));
  return absl::OkStatus();
}

}  // namespace millrace::data
