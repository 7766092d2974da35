#include "services/data/import/block_reader.h"

#include <utility>

#include "common/csv/position.h"
#include "common/status/status.h"

namespace millrace::data {

absl::Status NotFiniteError(std::string_view file_name,
                            std::string_view column,
                            const NotFinite& found) {
  return WithFix(InvalidArgument("{}: numbers must be finite in column '{}', found '{}'",
                                 csv::Where(file_name, found.position),
                                 features::Excerpt(column),
                                 found.text),
                 "correct the cell, or add the text to the missing spellings if it means no value");
}

absl::StatusOr<ReadColumns> BlockReader::Read(const Block& block) const {
  const bool is_first = block.place.index == rules_.first_block;
  csv::Tokenizer tokenizer(
      rules_.file_name,
      {.delimiter = rules_.delimiter,
       .limits = rules_.limits,
       .stretch = {.first_line = block.place.first_line, .width = rules_.width}});
  ReadColumns read;
  for (const WantedColumn& wanted : rules_.columns) {
    ColumnBuilder& column = read.columns.emplace_back(rules_.missing);
    if (wanted.as_texts) {
      column.ExpectTexts();
    } else if (wanted.given.has_value()) {
      column.Expect(*wanted.given);
    }
  }
  bool is_header = is_first && rules_.has_header;
  const auto take = [&](const csv::Record& record) -> absl::Status {
    if (std::exchange(is_header, false)) {
      return absl::OkStatus();
    }
    read.lines.push_back(static_cast<std::uint32_t>(record.line() - block.place.first_line));
    return Take(record, read);
  };
  RETURN_IF_ERROR(tokenizer.Feed(block.bytes, take));
  if (!block.place.ends_a_record) {
    return Internal("{}:{}: a record has no end", rules_.file_name, block.place.first_line);
  }
  RETURN_IF_ERROR(tokenizer.Finish(take));
  return read;
}

absl::Status BlockReader::Take(const csv::Record& record, ReadColumns& read) const {
  const auto cells = record.cells();
  for (std::size_t i = 0; i < rules_.columns.size(); ++i) {
    const WantedColumn& wanted = rules_.columns[i];
    const ColumnBuilder::Added added = read.columns[i].Add(cells[wanted.index]);
    RETURN_IF_ERROR(added == ColumnBuilder::Added::kYes
                        ? absl::OkStatus()
                        : Refuse(record, wanted, added, read.columns[i]));
  }
  return absl::OkStatus();
}

absl::Status BlockReader::Refuse(const csv::Record& record,
                                 const WantedColumn& wanted,
                                 ColumnBuilder::Added why,
                                 ColumnBuilder& column) const {
  const csv::Position position = record.PositionOf(wanted.index);
  const std::string text = features::Excerpt(features::Trim(record.cells()[wanted.index]));
  if (why == ColumnBuilder::Added::kNotFinite) {
    if (wanted.given.has_value()) {
      return NotFiniteError(rules_.file_name, wanted.name, {.position = position, .text = text});
    }
    column.NoteNotFinite(position, text);
    return absl::OkStatus();
  }
  return WithFix(InvalidArgument("{}: column '{}' is {} by the import's options, found '{}'",
                                 csv::Where(rules_.file_name, position),
                                 features::Excerpt(wanted.name),
                                 schema::v1::ColumnType_Name(wanted.given->type()),
                                 text),
                 "correct the cell, give the column another type, or add the text to the missing "
                 "spellings");
}

}  // namespace millrace::data
