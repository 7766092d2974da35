#include "services/data/read/row_reader.h"

#include <algorithm>
#include <vector>

#include "common/features/cell.h"
#include "common/status/status.h"

namespace millrace::data {

namespace {

constexpr std::int32_t kRowsDefault = 1'024;
constexpr std::int32_t kRowsMax = 4'096;
constexpr std::size_t kMessageBytesMax = std::size_t{1} << 20U;

absl::Status Check(const v1::ReadRowsRequest& request) {
  if (!schema::v1::Split_IsValid(request.split())) {
    return InvalidArgument(
        "split must be SPLIT_UNSPECIFIED for all rows, SPLIT_TRAIN, "
        "SPLIT_VALIDATION or SPLIT_TEST, found {}",
        static_cast<int>(request.split()));
  }
  if (request.rows_max() < 0 || request.rows_max() > kRowsMax) {
    return InvalidArgument("rows_max must be in [0, {}], found {}", kRowsMax, request.rows_max());
  }
  return absl::OkStatus();
}

std::int64_t BytesOf(const features::ColumnCells& cells) {
  return static_cast<std::int64_t>(cells.numbers.size() * sizeof(double) +
                                   cells.codes.size() * sizeof(std::int32_t) + cells.valid.size() +
                                   cells.dictionary.MemoryBytes());
}

// Of a column's largest segment, decoded.
absl::StatusOr<std::int64_t> SegmentBytesMax(const features::ColumnSegments& rows,
                                             std::size_t column) {
  const schema::v1::ColumnType type = rows.schema().columns(static_cast<int>(column)).type();
  const auto ends = rows.end_rows(column);
  std::vector<std::int64_t> encoded(ends.size());  // numbers have no texts
  if (!features::IsNumeric(type)) {
    ASSIGN_OR_RETURN(encoded, rows.EncodedBytes(column));
  }
  std::int64_t largest = 0;
  std::int64_t begin = 0;
  for (std::size_t segment = 0; segment < ends.size(); ++segment) {
    const std::int64_t cells = (ends[segment] - begin) * features::CellBytes(type);
    // Its texts, and where each of them ends.
    largest = std::max(largest, cells + 2 * encoded[segment]);
    begin = ends[segment];
  }
  return largest;
}

}  // namespace

absl::StatusOr<std::int64_t> RowReader::EstimateBytes(const features::ColumnSegments& rows) {
  constexpr std::int64_t kMessageBytes = std::int64_t{8} << 20;  // as objects and as sent
  constexpr std::int64_t kValueBytes = 64;
  const std::int64_t columns = rows.schema().columns_size();
  std::int64_t bytes = std::min(kMessageBytes, columns * kRowsDefault * kValueBytes) +
                       static_cast<std::int64_t>(rows.marks().size());
  for (std::size_t c = 0; c < static_cast<std::size_t>(columns); ++c) {
    ASSIGN_OR_RETURN(const std::int64_t largest, SegmentBytesMax(rows, c));
    bytes += largest;
  }
  return bytes;
}

RowReader::RowReader(std::shared_ptr<const features::ColumnSegments> rows, schema::v1::Split split)
    : rows_(std::move(rows)),
      split_(split),
      cursors_(static_cast<std::size_t>(rows_->schema().columns_size())) {}

absl::StatusOr<RowReader> RowReader::Create(std::shared_ptr<const features::ColumnSegments> rows,
                                            const v1::ReadRowsRequest& request) {
  RETURN_IF_ERROR(Check(request));
  const features::RowMarks& marks = rows->marks();
  const bool all = request.split() == schema::v1::SPLIT_UNSPECIFIED;
  const auto count =
      all ? static_cast<std::int64_t>(marks.size())
          : std::count(marks.begin(), marks.end(), static_cast<std::uint8_t>(request.split()));
  if (request.first_row() < 0 || request.first_row() > count) {
    return InvalidArgument("first_row must be in [0, {}], found {}", count, request.first_row());
  }
  RowReader reader(std::move(rows), request.split());
  reader.rows_max_ = request.rows_max() == 0 ? kRowsDefault : request.rows_max();
  reader.place_ = request.first_row();
  for (std::int64_t left = request.first_row(); left > 0; ++reader.row_) {
    left -= reader.IsWanted(reader.row_) ? 1 : 0;
  }
  return reader;
}

bool RowReader::IsWanted(std::int64_t row) const {
  return split_ == schema::v1::SPLIT_UNSPECIFIED ||
         rows_->marks()[static_cast<std::size_t>(row)] == static_cast<std::uint8_t>(split_);
}

absl::StatusOr<bool> RowReader::Next(v1::ReadRowsResponse& response) {
  response.Clear();
  response.set_first_row(place_);
  if (!begun_) {
    for (const schema::v1::Column& column : rows_->schema().columns()) {
      response.add_columns(column.name());
    }
  }
  const auto row_count = static_cast<std::int64_t>(rows_->marks().size());
  std::size_t bytes = response.ByteSizeLong();
  for (; row_ < row_count && response.rows_size() < rows_max_; ++row_) {
    if (!IsWanted(row_)) {
      continue;
    }
    schema::v1::Row& row = *response.add_rows();
    RETURN_IF_ERROR(Read(row_, row));
    constexpr std::size_t kFieldBytes = 8;  // of the tag and the length, at most
    bytes += row.ByteSizeLong() + kFieldBytes;
    if (bytes > kMessageBytesMax && response.rows_size() > 1) {
      response.mutable_rows()->RemoveLast();
      break;
    }
  }
  place_ += response.rows_size();
  share_.Resize(segments_bytes_ + row_count +
                static_cast<std::int64_t>(response.SpaceUsedLong() + bytes));
  const bool first = !std::exchange(begun_, true);
  return first || response.rows_size() > 0;
}

absl::Status RowReader::Read(std::int64_t number, schema::v1::Row& row) {
  for (std::size_t column = 0; column < cursors_.size(); ++column) {
    RETURN_IF_ERROR(Seek(column, number));
    AddCell(column, number, *row.add_values());
  }
  return absl::OkStatus();
}

// Makes `row` one of the column's current segment.
absl::Status RowReader::Seek(std::size_t column, std::int64_t row) {
  Cursor& cursor = cursors_[column];
  if (row < cursor.first_row + cursor.cells.size()) {
    return absl::OkStatus();
  }
  const auto ends = rows_->end_rows(column);
  const auto found = std::upper_bound(ends.begin(), ends.end(), row);
  cursor.segment = static_cast<std::size_t>(found - ends.begin());
  cursor.first_row = cursor.segment == 0 ? 0 : ends[cursor.segment - 1];
  segments_bytes_ -= std::exchange(cursor.bytes, 0);
  cursor.cells = {};
  ASSIGN_OR_RETURN(cursor.cells, rows_->Read(column, cursor.segment));
  cursor.bytes = BytesOf(cursor.cells);
  segments_bytes_ += cursor.bytes;
  return absl::OkStatus();
}

void RowReader::AddCell(std::size_t column, std::int64_t row, schema::v1::Value& value) {
  const Cursor& cursor = cursors_[column];
  const features::Cell cell = cursor.cells.At(row - cursor.first_row);
  const schema::v1::Column& described = rows_->schema().columns(static_cast<int>(column));
  switch (cell.kind) {
    case features::Cell::Kind::kMissing:
      return;
    case features::Cell::Kind::kText:
      value.set_text(std::string(cell.text));
      return;
    case features::Cell::Kind::kNumber:
      break;
  }
  switch (described.type()) {
    case schema::v1::COLUMN_TYPE_BOOLEAN:
      value.set_text(cell.number == 0 ? described.false_spelling() : described.true_spelling());
      break;
    case schema::v1::COLUMN_TYPE_TIMESTAMP:
      value.set_text(std::string(features::TimestampText(cell.number, scratch_)));
      break;
    default:
      value.set_number(cell.number);
  }
}

}  // namespace millrace::data
