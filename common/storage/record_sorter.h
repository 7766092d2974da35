// RecordSorter: records of one size in ascending order, on disk where they are many.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <future>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/storage/blob_store.h"
#include "common/storage/scratch.h"

namespace millrace::storage {

/// Records that were sorted and written to a file one after another, read back in slices.
class SortedRuns {
 public:
  explicit SortedRuns(Scratch scratch) : scratch_(std::move(scratch)) {}

  /// Appends a run; the file is made with the first.
  absl::Status Append(std::string_view run);

  /// Ends writing.
  absl::Status Close();

  /// Bytes [offset, offset + size) of a run, fewer at its end.
  [[nodiscard]] absl::StatusOr<std::string> Read(std::size_t run,
                                                 std::int64_t offset,
                                                 std::int64_t size) const;

  [[nodiscard]] std::size_t count() const { return ends_.size(); }

 private:
  Scratch scratch_;
  std::unique_ptr<StagedFile> staged_;
  std::unique_ptr<ReadableFile> file_;
  std::vector<std::int64_t> ends_;
};

/// Sorts in a buffer and writes it out whenever it is full; merges what was written when asked for
/// it (Knuth, TAOCP 3, 5.4). Equal records are given in any order, so what follows must not depend
/// on it. Memory: the buffer, afterwards 64 KiB a run.
template <typename Record>
class RecordSorter {
  static_assert(std::is_trivially_copyable_v<Record>);

 public:
  /// `buffer_records` are kept in memory; more of them make fewer runs.
  RecordSorter(Scratch scratch, std::size_t buffer_records)
      : buffer_records_(buffer_records),
        runs_(std::move(scratch)) {}

  /// Thread-safe, as only this is.
  absl::Status Add(std::span<const Record> records) {
    const std::lock_guard lock(mutex_);
    while (!records.empty()) {
      const std::size_t count = std::min(records.size(), buffer_records_ - buffer_.size());
      buffer_.insert(
          buffer_.end(), records.begin(), records.begin() + static_cast<std::ptrdiff_t>(count));
      records = records.subspan(count);
      if (buffer_.size() == buffer_records_) {
        if (absl::Status status = WriteRun(); !status.ok()) {
          return status;
        }
      }
    }
    return absl::OkStatus();
  }

  /// Says that all records were added. What is in memory is sorted on up to two threads.
  absl::Status Finish(int threads = 1) {
    if (runs_.count() == 0) {
      SortBuffer(threads);
      return absl::OkStatus();
    }
    absl::Status written = buffer_.empty() ? absl::OkStatus() : WriteRun();
    buffer_ = {};
    return written.ok() ? runs_.Close() : written;
  }

  /// Gives every record, ascending. As often as asked for. Requires: Finish().
  absl::Status ForEach(absl::FunctionRef<absl::Status(const Record&)> sink) const {
    for (const Record& record : buffer_) {
      if (absl::Status status = sink(record); !status.ok()) {
        return status;
      }
    }
    return runs_.count() == 0 ? absl::OkStatus() : Merge(sink);
  }

 private:
  // A run, as far as it was read.
  struct Cursor {
    std::size_t run = 0;
    std::int64_t offset = 0;  // of what comes after the slice
    std::vector<Record> slice;
    std::size_t at = 0;

    [[nodiscard]] const Record& head() const { return slice[at]; }
  };

  void SortBuffer(int threads) {
    constexpr std::size_t kFew = 10'000;
    const auto middle = buffer_.begin() + static_cast<std::ptrdiff_t>(buffer_.size() / 2);
    if (threads < 2 || buffer_.size() < kFew) {
      std::sort(buffer_.begin(), buffer_.end());
      return;
    }
    auto other = std::async([this, middle] { std::sort(buffer_.begin(), middle); });
    std::sort(middle, buffer_.end());
    other.get();
    std::inplace_merge(buffer_.begin(), middle, buffer_.end());
  }

  absl::Status WriteRun() {
    std::sort(buffer_.begin(), buffer_.end());
    const auto bytes = std::as_bytes(std::span(buffer_));
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how bytes become text.
    absl::Status status = runs_.Append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    buffer_.clear();
    return status;
  }

  // False at the end of the run.
  absl::StatusOr<bool> Fill(Cursor& cursor) const {
    constexpr std::int64_t kSliceBytes =
        (std::int64_t{64} << 10) / std::int64_t{sizeof(Record)} * std::int64_t{sizeof(Record)};
    const absl::StatusOr<std::string> bytes = runs_.Read(cursor.run, cursor.offset, kSliceBytes);
    if (!bytes.ok()) {
      return bytes.status();
    }
    cursor.offset += static_cast<std::int64_t>(bytes->size());
    cursor.slice.resize(bytes->size() / sizeof(Record));
    if (!cursor.slice.empty()) {
      std::memcpy(cursor.slice.data(), bytes->data(), cursor.slice.size() * sizeof(Record));
    }
    cursor.at = 0;
    return !cursor.slice.empty();
  }

  absl::Status Merge(absl::FunctionRef<absl::Status(const Record&)> sink) const {
    std::vector<Cursor> heap(runs_.count());
    const auto after = [](const Cursor& left, const Cursor& right) {
      return right.head() < left.head();
    };
    for (std::size_t run = 0; run < heap.size(); ++run) {
      heap[run].run = run;
      if (const auto filled = Fill(heap[run]); !filled.ok()) {
        return filled.status();
      }
    }
    std::make_heap(heap.begin(), heap.end(), after);
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), after);
      Cursor& least = heap.back();
      if (absl::Status status = sink(least.head()); !status.ok()) {
        return status;
      }
      if (++least.at == least.slice.size()) {
        const absl::StatusOr<bool> more = Fill(least);
        if (!more.ok()) {
          return more.status();
        }
        if (!*more) {
          heap.pop_back();
          continue;
        }
      }
      std::push_heap(heap.begin(), heap.end(), after);
    }
    return absl::OkStatus();
  }

  const std::size_t buffer_records_;
  std::mutex mutex_;
  std::vector<Record> buffer_;  // guarded by mutex_ until Finish()
  SortedRuns runs_;             // the same
};

}  // namespace millrace::storage
