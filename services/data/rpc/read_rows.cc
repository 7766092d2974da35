#include "services/data/rpc/read_rows.h"

#include <cstdint>
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
  ASSIGN_OR_RETURN(const std::int64_t bytes, RowReader::EstimateBytes(*rows));
  ASSIGN_OR_RETURN(ReadBudget::Share share, TakeShare(parts, bytes));
  ASSIGN_OR_RETURN(RowReader reader, RowReader::Create(std::move(rows), request));
  reader.Keep(std::move(share));
  return reader;
}

}  // namespace

grpc::ServerWriteReactor<v1::ReadRowsResponse>* StartReadRows(const ReadParts& parts,
                                                              const v1::ReadRowsRequest& request) {
  return new ReadStream<v1::ReadRowsResponse, RowReader>(
      parts.pool, parts.quiet.Begin(), [&parts, &request] { return Open(parts, request); });
}

}  // namespace millrace::data
