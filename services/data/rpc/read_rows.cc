#include "services/data/rpc/read_rows.h"

#include <memory>
#include <utility>

#include <absl/status/statusor.h>

#include "common/features/column_segments.h"
#include "common/resource/name.h"
#include "common/status/status.h"
#include "services/data/read/row_reader.h"
#include "services/data/rpc/read_stream.h"

namespace millrace::data {

namespace {

absl::StatusOr<RowReader> Open(const ReadParts& parts, const v1::ReadRowsRequest& request) {
  ASSIGN_OR_RETURN(VersionedName name, ParseVersionedName("datasets", "name", request.name()));
  ASSIGN_OR_RETURN(name.sha256, parts.store.Resolve(name));
  ASSIGN_OR_RETURN(std::unique_ptr<const features::ColumnSegments> rows,
                   parts.store.OpenRows(name));
  return RowReader::Create(std::move(rows), request);
}

}  // namespace

grpc::ServerWriteReactor<v1::ReadRowsResponse>* StartReadRows(const ReadParts& parts,
                                                              const v1::ReadRowsRequest& request) {
  return new ReadStream<v1::ReadRowsResponse, RowReader>(
      parts.disk, [&parts, &request] { return Open(parts, request); });
}

}  // namespace millrace::data
