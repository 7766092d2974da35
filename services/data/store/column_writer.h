// ColumnWriter: the kept cells of one column → a segmented blob.
//
// A segment is what column_codec.h makes of its cells. It ends after 2^20 divided by the version's
// columns rows, rounded down to a power of two and kept in [1,024, 65,536], or where its
// dictionary's texts have come to 4 MiB. So a row of segments takes about as much memory in every
// dataset, and where a segment ends follows from the cells alone.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "millrace/data/v1/stored_version.pb.h"

#include "common/features/row_groups.h"
#include "common/storage/blob_store.h"

namespace millrace::data {

/// A column on disk.
struct WrittenColumn {
  std::string sha256;  // the blob's name
  v1::ColumnSegments segments;
};

/// Writes the rows that are not dropped, in memory for a segment and a group. What is on disk after
/// an error is not used by anything.
absl::StatusOr<WrittenColumn> WriteColumn(const features::RowGroups& rows,
                                          std::size_t column,
                                          const features::RowMarks& marks,
                                          storage::BlobStore& blobs);

}  // namespace millrace::data
