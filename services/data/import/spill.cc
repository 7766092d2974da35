#include "services/data/import/spill.h"

#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::data {

namespace {

// Where a column's cells stand in their group.
struct Entry {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  std::uint64_t kind = 0;
};

template <typename Number>
void AppendAll(std::span<const Number> numbers, std::string& bytes) {
  static_assert(std::is_trivially_copyable_v<Number>);
  const auto raw = std::as_bytes(numbers);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how bytes become text.
  bytes.append(reinterpret_cast<const char*>(raw.data()), raw.size());
}

// Takes values off the front of bytes. Requires: there are enough.
template <typename Number>
void TakeAll(std::string_view& bytes, std::span<Number> numbers) {
  CHECK(bytes.size() >= numbers.size_bytes());
  if (!numbers.empty()) {
    std::memcpy(numbers.data(), bytes.data(), numbers.size_bytes());
  }
  bytes.remove_prefix(numbers.size_bytes());
}

bool IsNumbers(CellKind kind) {
  return kind == CellKind::kNumbers || kind == CellKind::kTimestamps;
}

void TakeTexts(std::string_view bytes, features::ColumnCells& cells) {
  cells.codes.resize(cells.valid.size());
  TakeAll<std::int32_t>(bytes, cells.codes);
  std::uint32_t count = 0;
  TakeAll<std::uint32_t>(bytes, {&count, 1});
  std::vector<std::uint32_t> sizes(count);
  TakeAll<std::uint32_t>(bytes, sizes);
  cells.dictionary = features::Texts::Split(bytes, sizes);
}

}  // namespace

GroupWriter::GroupWriter(std::size_t columns) : bytes_(columns * sizeof(Entry), '\0') {}

void GroupWriter::AddLines(const std::vector<std::uint32_t>& lines) {
  AppendAll<std::uint32_t>(lines, bytes_);
}

void GroupWriter::AddColumn(const features::ColumnCells& cells, CellKind kind) {
  Entry entry{.begin = bytes_.size(), .size = 0, .kind = static_cast<std::uint64_t>(kind)};
  if (kind != CellKind::kLoosened) {
    AppendAll<std::uint8_t>(cells.valid, bytes_);
    if (IsNumbers(kind)) {
      AppendAll<double>(cells.numbers, bytes_);
    } else {
      AppendAll<std::int32_t>(cells.codes, bytes_);
      const auto count = static_cast<std::uint32_t>(cells.dictionary.size());
      AppendAll<std::uint32_t>({&count, 1}, bytes_);
      for (const std::string_view text : cells.dictionary) {
        const auto size = static_cast<std::uint32_t>(text.size());
        AppendAll<std::uint32_t>({&size, 1}, bytes_);
      }
      bytes_ += cells.dictionary.bytes();
    }
  }
  entry.size = bytes_.size() - entry.begin;
  std::memcpy(bytes_.data() + column_ * sizeof(Entry), &entry, sizeof(Entry));
  ++column_;
}

absl::StatusOr<std::unique_ptr<Spill>> Spill::Create(const storage::Scratch& scratch) {
  ASSIGN_OR_RETURN(auto staged, storage::StagedFile::Create(scratch.files, scratch.folder));
  return std::unique_ptr<Spill>(new Spill(scratch.files, std::move(staged)));
}

absl::StatusOr<std::int64_t> Spill::Append(std::string_view group) {
  const std::lock_guard lock(mutex_);
  const std::int64_t offset = staged_->size();
  RETURN_IF_ERROR(staged_->Append(group));
  return offset;
}

absl::Status Spill::Close() {
  RETURN_IF_ERROR(staged_->Close());
  ASSIGN_OR_RETURN(file_, files_.Open(staged_->path()));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Spill::ReadBytes(std::int64_t offset, std::int64_t size) const {
  ASSIGN_OR_RETURN(std::string bytes, file_->Read(offset, size));
  if (static_cast<std::int64_t>(bytes.size()) != size) {
    return DataLoss("a temporary file ended early: {}", staged_->path());
  }
  return bytes;
}

namespace {

absl::StatusOr<Entry> EntryOf(const absl::StatusOr<std::string>& bytes) {
  RETURN_IF_ERROR(bytes.status());
  Entry entry;
  std::memcpy(&entry, bytes->data(), sizeof(Entry));
  return entry;
}

std::int64_t PlaceOfEntry(std::int64_t group, std::size_t column) {
  return group + static_cast<std::int64_t>(column * sizeof(Entry));
}

}  // namespace

absl::StatusOr<features::ColumnCells> Spill::Read(std::int64_t group,
                                                  std::size_t column,
                                                  std::int64_t rows) const {
  ASSIGN_OR_RETURN(const Entry entry,
                   EntryOf(ReadBytes(PlaceOfEntry(group, column), sizeof(Entry))));
  ASSIGN_OR_RETURN(const std::string read,
                   ReadBytes(group + static_cast<std::int64_t>(entry.begin),
                             static_cast<std::int64_t>(entry.size)));
  std::string_view bytes = read;
  features::ColumnCells cells;
  cells.valid.resize(static_cast<std::size_t>(rows));
  TakeAll<std::uint8_t>(bytes, cells.valid);
  if (IsNumbers(static_cast<CellKind>(entry.kind))) {
    cells.numbers.resize(cells.valid.size());
    TakeAll<double>(bytes, cells.numbers);
  } else {
    TakeTexts(bytes, cells);
  }
  return cells;
}

absl::StatusOr<std::uint32_t> Spill::LineOf(std::int64_t group,
                                            std::size_t columns,
                                            std::int64_t row) const {
  const std::int64_t at =
      PlaceOfEntry(group, columns) + row * static_cast<std::int64_t>(sizeof(std::uint32_t));
  ASSIGN_OR_RETURN(const std::string bytes, ReadBytes(at, sizeof(std::uint32_t)));
  std::uint32_t line = 0;
  std::memcpy(&line, bytes.data(), sizeof(line));
  return line;
}

}  // namespace millrace::data
