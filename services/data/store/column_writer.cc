#include "services/data/store/column_writer.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "common/status/status.h"
#include "services/data/store/column_codec.h"

namespace millrace::data {

namespace {

constexpr std::size_t kSegmentTextBytes = std::size_t{4} << 20U;

std::int64_t SegmentRows(std::size_t columns) {
  constexpr std::size_t kCells = std::size_t{1} << 20U;
  const std::size_t rows = std::bit_floor(kCells / std::max<std::size_t>(columns, 1));
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(rows), 1'024, 65'536);
}

// The segment that grows, and those that were written.
class SegmentedColumn {
 public:
  SegmentedColumn(bool numeric, std::int64_t segment_rows, storage::SegmentedBlobWriter& writer)
      : numeric_(numeric),
        segment_rows_(segment_rows),
        joiner_(numeric),
        writer_(writer) {}

  // Adds the cells [first, last), which are all kept.
  absl::Status Add(const features::ColumnCells& cells, std::size_t first, std::size_t last) {
    while (first < last) {
      const auto room = static_cast<std::size_t>(segment_rows_ - joiner_.size());
      first = joiner_.Add(cells, first, std::min(last, first + room), kSegmentTextBytes);
      const bool full =
          joiner_.size() == segment_rows_ || joiner_.text_bytes() >= kSegmentTextBytes;
      RETURN_IF_ERROR(full ? Write() : absl::OkStatus());
    }
    return absl::OkStatus();
  }

  absl::Status Finish() { return joiner_.size() > 0 ? Write() : absl::OkStatus(); }

  v1::ColumnSegments& segments() { return segments_; }

 private:
  absl::Status Write() {
    rows_ += joiner_.size();
    segments_.add_end_rows(rows_);
    return writer_.Append(EncodeColumn(joiner_.Release(), numeric_));
  }

  const bool numeric_;
  const std::int64_t segment_rows_;
  features::ColumnJoiner joiner_;
  storage::SegmentedBlobWriter& writer_;
  v1::ColumnSegments segments_;
  std::int64_t rows_ = 0;
};

// Adds the kept cells of one group.
absl::Status AddKept(const features::ColumnCells& cells,
                     const std::uint8_t* marks,
                     SegmentedColumn& column) {
  const std::uint8_t* const end = marks + cells.valid.size();
  const std::uint8_t* at = marks;
  while (at != end) {
    const std::uint8_t* const first =
        std::find_if(at, end, [](std::uint8_t mark) { return mark != features::kDropped; });
    at = std::find(first, end, features::kDropped);
    RETURN_IF_ERROR(column.Add(
        cells, static_cast<std::size_t>(first - marks), static_cast<std::size_t>(at - marks)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WrittenColumn> WriteColumn(const features::RowGroups& rows,
                                          std::size_t column,
                                          const features::RowMarks& marks,
                                          storage::BlobStore& blobs) {
  ASSIGN_OR_RETURN(const auto writer, blobs.NewSegmented());
  const bool numeric = features::IsNumeric(rows.schema().columns(static_cast<int>(column)).type());
  SegmentedColumn segmented(numeric, SegmentRows(rows.column_count()), *writer);
  for (std::size_t group = 0; group < rows.group_count(); ++group) {
    ASSIGN_OR_RETURN(const features::ColumnCells cells, rows.Read(group, column));
    RETURN_IF_ERROR(AddKept(cells, marks.data() + rows.bounds()[group], segmented));
  }
  RETURN_IF_ERROR(segmented.Finish());
  WrittenColumn written;
  ASSIGN_OR_RETURN(written.sha256, writer->Commit());
  written.segments = std::move(segmented.segments());
  return written;
}

}  // namespace millrace::data
