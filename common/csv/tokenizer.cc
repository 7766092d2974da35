#include "common/csv/tokenizer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/status/status.h"

namespace millrace::csv {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kSliceBytes = std::size_t{1} << 20;  // copied and parsed at a time
constexpr char kQuote = '"';

constexpr std::string_view kQuoteFix =
    "enclose the whole cell in double quotes and double each quote inside it";

// A limit in words: 1 MiB or 7 bytes.
std::string InBytes(std::int64_t bytes) {
  constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
  return bytes % kMebibyte == 0 ? fmt::format("{} MiB", bytes / kMebibyte)
                                : fmt::format("{} bytes", bytes);
}

}  // namespace

Position Record::PositionOf(std::size_t cell) const {
  return PositionAfter(line_, raw_.substr(0, starts_[cell]));
}

Tokenizer::Tokenizer(std::string file_name, TokenizerOptions options)
    : file_name_(file_name.empty() ? "file" : std::move(file_name)),
      options_(options),
      buffer_(Structure::kPadding, '\0'),
      parse_at_(std::max(options.parse_bytes, kByteOrderMark.size())),
      at_start_(options.stretch.first_line == 1),
      line_(options.stretch.first_line),
      width_(static_cast<std::size_t>(options.stretch.width)) {}

absl::Status Tokenizer::Feed(std::string_view chunk, RecordSink sink) {
  while (!chunk.empty()) {
    const std::string_view slice = chunk.substr(0, kSliceBytes);
    chunk.remove_prefix(slice.size());
    Append(slice);
    if (size_ < parse_at_) {
      continue;
    }
    RETURN_IF_ERROR(Parse(/*is_end=*/false, sink));
  }
  return absl::OkStatus();
}

absl::Status Tokenizer::Finish(RecordSink sink) {
  return Parse(/*is_end=*/true, sink);
}

void Tokenizer::Append(std::string_view chunk) {
  const std::size_t needed = size_ + chunk.size() + Structure::kPadding;
  if (buffer_.size() < needed) {
    buffer_.resize(std::max(needed, 2 * buffer_.size()));
  }
  std::memcpy(buffer_.data() + size_, chunk.data(), chunk.size());
  size_ += chunk.size();
  std::memset(buffer_.data() + size_, 0, Structure::kPadding);
}

void Tokenizer::DropByteOrderMark() {
  if (at_start_ && std::string_view(buffer_).starts_with(kByteOrderMark)) {
    size_ -= kByteOrderMark.size();
    std::memmove(
        buffer_.data(), buffer_.data() + kByteOrderMark.size(), size_ + Structure::kPadding);
  }
  at_start_ = false;
}

// Parses what the buffer holds and keeps what is left for the next time. A record that did not end
// is tried again only when the buffer has doubled, so that the work stays linear in its length.
absl::Status Tokenizer::Parse(bool is_end, RecordSink sink) {
  DropByteOrderMark();
  const TextCheck check = CheckText({buffer_.data(), size_});
  text_end_ = check.valid_bytes;
  is_end_ = is_end && check.end == TextCheck::End::kAll;
  record_ = 0;
  // What stands before bytes that are no text is judged first: errors come in the file's order.
  RETURN_IF_ERROR(ParseText(sink));
  const bool cut = check.end == TextCheck::End::kCut && !is_end;
  if (check.end != TextCheck::End::kAll && !cut) {
    return TextError(text_end_, check.end);
  }
  size_ -= record_;
  std::memmove(buffer_.data(), buffer_.data() + record_, size_ + Structure::kPadding);
  record_ = 0;
  parse_at_ = std::max(options_.parse_bytes, 2 * size_);
  return absl::OkStatus();
}

absl::Status Tokenizer::ParseText(RecordSink sink) {
  Structure structure(buffer_.data(), text_end_, options_.delimiter);
  while (record_ < text_end_) {
    const Outcome outcome = ReadRecord(structure);
    if (outcome == Outcome::kError) {
      return error_;
    }
    if (outcome == Outcome::kIncomplete) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(outcome == Outcome::kRecord ? Emit(sink) : absl::OkStatus());
    line_ += line_feeds_ + 1;
    record_ = next_;
  }
  return absl::OkStatus();
}

absl::Status Tokenizer::Emit(RecordSink sink) {
  if (width_ == 0) {
    width_ = cells_.size();
  }
  if (options_.same_width && cells_.size() != width_) {
    return WidthError();
  }
  if (!doubled_.empty()) {
    UnquoteCells();
  }
  Record record;
  record.cells_ = cells_;
  record.starts_ = starts_;
  record.raw_ = std::string_view(buffer_).substr(record_, next_ - record_);
  record.line_ = line_;
  return sink(record);
}

// Writes the cells that have doubled quotes elsewhere, with one quote for two: the buffer stays as
// the file has it, for positions.
void Tokenizer::UnquoteCells() {
  std::size_t bytes = 0;
  for (const std::size_t cell : doubled_) {
    bytes += cells_[cell].size();
  }
  unquoted_.resize(std::max(unquoted_.size(), bytes));
  char* out = unquoted_.data();
  for (const std::size_t cell : doubled_) {
    const char* const begin = out;
    std::string_view raw = cells_[cell];
    while (!raw.empty()) {
      const std::size_t quote = std::min(raw.find(kQuote), raw.size() - 1);
      out = std::copy_n(raw.data(), quote + 1, out);
      raw.remove_prefix(std::min(quote + 2, raw.size()));
    }
    cells_[cell] = {begin, static_cast<std::size_t>(out - begin)};
  }
}

Tokenizer::Outcome Tokenizer::ReadRecord(Structure& structure) {
  cells_.clear();
  starts_.clear();
  doubled_.clear();
  line_feeds_ = 0;
  cell_ = record_;
  while (true) {
    std::size_t end = 0;
    const Outcome outcome = ReadCell(structure, end);
    if (outcome != Outcome::kRecord) {
      return outcome;
    }
    if (end == text_end_ || buffer_[end] != options_.delimiter) {
      return ReadLineEnd(structure, end);
    }
    if (std::ssize(cells_) == options_.limits.columns_max) {
      return Fail(end + 1,
                  fmt::format("a row has at most {} cells, found more", cells_.size()),
                  "split the file, or choose its delimiter with the import's options");
    }
    cell_ = end + 1;
  }
}

// Reads the cell that begins at `cell_`; `end` is the position of what ends it.
Tokenizer::Outcome Tokenizer::ReadCell(Structure& structure, std::size_t& end) {
  end = structure.Next();
  if (end == cell_ && buffer_[end] == kQuote) {
    return ReadQuoted(structure, end);
  }
  std::size_t quotes = 0;
  std::size_t last_quote = 0;
  while (end != Structure::kNone && buffer_[end] == kQuote) {
    ++quotes;
    last_quote = end;
    end = structure.Next();
  }
  if (end == Structure::kNone) {
    if (const Outcome outcome = EndOfText(end); outcome != Outcome::kRecord) {
      return outcome;
    }
  }
  if (!WithinLimits(end)) {
    return Outcome::kError;
  }
  if (quotes % 2 == 1) {
    return Fail(last_quote, "a quote inside a cell needs its pair, found a lone quote", kQuoteFix);
  }
  AddCell(cell_, end);
  return Outcome::kRecord;
}

Tokenizer::Outcome Tokenizer::ReadQuoted(Structure& structure, std::size_t& end) {
  const char* const data = buffer_.data();
  bool has_doubled = false;
  std::size_t from = cell_ + 1;
  std::size_t close = 0;
  while (true) {
    const void* const found = std::memchr(data + from, kQuote, text_end_ - from);
    if (found == nullptr) {
      const Outcome outcome = EndOfText(end);
      return outcome != Outcome::kRecord
                 ? outcome
                 : Fail(cell_,
                        "a cell that begins with a quote must end with one, found the end of the "
                        "file",
                        "close the quote, or double it if it is part of the text");
    }
    close = static_cast<std::size_t>(static_cast<const char*>(found) - data);
    if (close + 1 == text_end_ && !is_end_) {
      return EndOfText(end);  // the next byte decides whether this is the end of the cell
    }
    if (close + 1 == text_end_ || data[close + 1] != kQuote) {
      break;
    }
    has_doubled = true;
    from = close + 2;
  }
  end = close + 1;
  if (!WithinLimits(end)) {
    return Outcome::kError;
  }
  const bool ended =
      end == text_end_ || data[end] == options_.delimiter || data[end] == '\n' || data[end] == '\r';
  if (!ended) {
    return Fail(end,
                "a delimiter or the end of the line must follow a closing quote, found text",
                kQuoteFix);
  }
  if (has_doubled) {
    doubled_.push_back(cells_.size());
  }
  line_feeds_ += std::count(data + cell_, data + close, '\n');
  AddCell(cell_ + 1, close);
  structure.Seek(end);
  structure.Next();  // `end` itself, if it is not the end of the text
  return Outcome::kRecord;
}

// Reads what ends a line at `end`.
Tokenizer::Outcome Tokenizer::ReadLineEnd(Structure& structure, std::size_t end) {
  next_ = end + 1;
  if (end == text_end_) {
    next_ = end;
  } else if (buffer_[end] == '\r') {
    if (end + 1 == text_end_ && !is_end_) {
      return Outcome::kIncomplete;
    }
    if (end + 1 == text_end_ || buffer_[end + 1] != '\n') {
      return Fail(end,
                  "a line must end with LF or CRLF, found a carriage return alone",
                  "convert the file's line ends, or enclose the cell in double quotes");
    }
    next_ = structure.Next() + 1;  // the line feed
  }
  const bool blank = cells_.size() == 1 && end == record_;
  return blank ? Outcome::kBlank : Outcome::kRecord;
}

// What the end of the text means for the cell being read: the file's last one, or more to come.
Tokenizer::Outcome Tokenizer::EndOfText(std::size_t& end) {
  end = text_end_;
  if (!WithinLimits(end)) {
    return Outcome::kError;
  }
  return is_end_ ? Outcome::kRecord : Outcome::kIncomplete;
}

// Whether the current cell and record, up to `end`, keep the limits; otherwise `error_` tells which
// was passed first.
bool Tokenizer::WithinLimits(std::size_t end) {
  const Limits& limits = options_.limits;
  const std::size_t cell_limit = cell_ + static_cast<std::size_t>(limits.cell_bytes_max);
  const std::size_t row_limit = record_ + static_cast<std::size_t>(limits.row_bytes_max);
  if (end <= std::min(cell_limit, row_limit)) {
    return true;
  }
  constexpr std::string_view kFix = "look for a quote that is opened and never closed";
  if (cell_limit <= row_limit) {
    Fail(cell_,
         fmt::format("a cell has at most {}, found more", InBytes(limits.cell_bytes_max)),
         kFix);
  } else {
    Fail(record_,
         fmt::format("a row has at most {}, found more", InBytes(limits.row_bytes_max)),
         kFix);
  }
  return false;
}

void Tokenizer::AddCell(std::size_t begin, std::size_t end) {
  cells_.emplace_back(buffer_.data() + begin, end - begin);
  starts_.push_back(cell_ - record_);
}

Tokenizer::Outcome Tokenizer::Fail(std::size_t at, std::string_view what, std::string_view fix) {
  const std::string_view before = std::string_view(buffer_).substr(record_, at - record_);
  error_ = WithFix(InvalidArgument("{}: {}", Where(file_name_, PositionAfter(line_, before)), what),
                   fix);
  return Outcome::kError;
}

absl::Status Tokenizer::TextError(std::size_t at, TextCheck::End end) const {
  const std::string_view before = std::string_view(buffer_).substr(record_, at - record_);
  const std::string where = Where(file_name_, PositionAfter(line_, before));
  if (end == TextCheck::End::kNul) {
    return WithFix(InvalidArgument("{}: expected text, found a NUL byte", where),
                   "remove NUL bytes; if the file is UTF-16, save it as UTF-8");
  }
  return WithFix(InvalidArgument("{}: expected UTF-8, found byte 0x{:02X}",
                                 where,
                                 static_cast<unsigned char>(buffer_[at])),
                 "save the file as UTF-8");
}

absl::Status Tokenizer::WidthError() const {
  const bool more = cells_.size() > width_;
  std::string_view raw = std::string_view(buffer_).substr(record_, next_ - record_);
  while (raw.ends_with('\n') || raw.ends_with('\r')) {
    raw.remove_suffix(1);
  }
  const std::string_view before = raw.substr(0, more ? starts_[width_] : raw.size());
  return WithFix(
      InvalidArgument("{}: a row must have {} cells as the first, found {}",
                      Where(file_name_, PositionAfter(line_, before)),
                      width_,
                      cells_.size()),
      more ? "remove the extra cells, or enclose a cell that has the delimiter in double quotes"
           : "add the missing cells; an empty one means no value");
}

}  // namespace millrace::csv
