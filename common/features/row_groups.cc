#include "common/features/row_groups.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <system_error>
#include <thread>
#include <unordered_set>

#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::features {

namespace {

// Memory that cells take, about.
std::size_t BytesOf(const ColumnCells& cells) {
  return cells.numbers.size() * sizeof(double) + cells.codes.size() * sizeof(std::int32_t) +
         cells.valid.size() + cells.dictionary.MemoryBytes();
}

}  // namespace

int RowGroups::IndexOf(std::string_view name) const {
  for (int i = 0; i < schema().columns_size(); ++i) {
    if (schema().columns(i).name() == name) {
      return i;
    }
  }
  return -1;
}

absl::Status ColumnReader::ForEach(CellsSink sink) {
  return ForEachWhile([&](const ColumnCells& cells, std::int64_t first) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(sink(cells, first));
    return true;
  });
}

absl::Status ColumnReader::ForEachWhile(
    absl::FunctionRef<absl::StatusOr<bool>(const ColumnCells& cells, std::int64_t first_row)>
        sink) {
  for (std::size_t group = 0; group < rows_.group_count(); ++group) {
    if (stop_.stop_requested()) {
      return Cancelled("the import was stopped");
    }
    const std::int64_t first = rows_.bounds()[group];
    if (group < kept_.size()) {
      ASSIGN_OR_RETURN(const bool more, sink(kept_[group], first));
      if (!more) {
        break;
      }
      continue;
    }
    ASSIGN_OR_RETURN(ColumnCells cells, rows_.Read(group, column_));
    ASSIGN_OR_RETURN(const bool more, sink(cells, first));
    const std::size_t bytes = BytesOf(cells);
    if (kept_.size() == group && kept_bytes_ + bytes <= kKeptBytesMax) {
      kept_bytes_ += bytes;
      kept_.push_back(std::move(cells));
    }
    if (!more) {
      break;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ClassesOf(ColumnReader& reader,
                                                   const RowMarks& marks,
                                                   std::size_t limit) {
  std::unordered_set<double> numbers;
  std::unordered_set<std::string> texts;
  std::vector<std::string> classes;
  const auto look = [&](const ColumnCells& cells, std::int64_t first) -> absl::StatusOr<bool> {
    std::vector<bool> seen(cells.dictionary.size());
    for (std::size_t i = 0; i < cells.valid.size() && classes.size() <= limit; ++i) {
      if (cells.valid[i] == 0 || marks[static_cast<std::size_t>(first) + i] == kDropped) {
        continue;
      }
      bool is_new = false;
      if (cells.codes.empty()) {
        is_new = numbers.insert(cells.numbers[i]).second;
      } else if (const auto code = static_cast<std::size_t>(cells.codes[i]); !seen[code]) {
        seen[code] = true;
        is_new = texts.emplace(cells.dictionary[code]).second;
      }
      if (is_new) {
        classes.push_back(ClassName(reader.column(), cells.At(static_cast<std::int64_t>(i))));
      }
    }
    return classes.size() <= limit;
  };
  RETURN_IF_ERROR(reader.ForEachWhile(look));
  std::sort(classes.begin(), classes.end());
  return classes;
}

std::size_t ColumnJoiner::Add(const ColumnCells& cells,
                              std::size_t first,
                              std::size_t last,
                              std::size_t text_bytes_max) {
  const auto from = static_cast<std::ptrdiff_t>(first);
  if (numeric_) {
    const auto to = static_cast<std::ptrdiff_t>(last);
    joined_.valid.insert(joined_.valid.end(), cells.valid.begin() + from, cells.valid.begin() + to);
    joined_.numbers.insert(
        joined_.numbers.end(), cells.numbers.begin() + from, cells.numbers.begin() + to);
    return last;
  }
  constexpr std::int32_t kUnknown = -1;
  new_code_.assign(cells.dictionary.size(), kUnknown);
  std::size_t i = first;
  for (; i < last && text_bytes_ < text_bytes_max; ++i) {
    std::int32_t code = 0;
    if (cells.valid[i] != 0) {
      const auto old = static_cast<std::size_t>(cells.codes[i]);
      if (new_code_[old] == kUnknown) {
        const std::size_t before = dictionary_.texts().size();
        new_code_[old] = dictionary_.Code(cells.dictionary[old]);
        text_bytes_ += dictionary_.texts().size() > before ? cells.dictionary[old].size() : 0;
      }
      code = new_code_[old];
    }
    joined_.codes.push_back(code);
  }
  joined_.valid.insert(joined_.valid.end(),
                       cells.valid.begin() + from,
                       cells.valid.begin() + static_cast<std::ptrdiff_t>(i));
  return i;
}

ColumnCells ColumnJoiner::Release() {
  text_bytes_ = 0;
  joined_.dictionary = dictionary_.Release();
  return std::exchange(joined_, {});
}

std::vector<std::size_t> LongestFirst(const schema::v1::Schema& schema) {
  std::vector<std::size_t> order(static_cast<std::size_t>(schema.columns_size()));
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto group_of = [&](std::size_t column) {
    const schema::v1::ColumnType type = schema.columns(static_cast<int>(column)).type();
    return type == schema::v1::COLUMN_TYPE_TEXT ? 0 : IsNumeric(type) ? 2 : 1;
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
    return group_of(left) < group_of(right);
  });
  return order;
}

namespace {

// What the threads of InParallel() share.
class SharedWork {
 public:
  SharedWork(std::size_t count, absl::FunctionRef<absl::Status(std::size_t)> work)
      : count_(count),
        work_(work) {}

  void Run() {
    while (!failed_) {
      const std::size_t i = next_.fetch_add(1);
      if (i >= count_) {
        return;
      }
      try {
        const absl::Status status = work_(i);
        if (!status.ok()) {
          Fail(i, status, nullptr);
        }
      } catch (...) {
        Fail(i, absl::OkStatus(), std::current_exception());
      }
    }
  }

  // Requires: all threads have ended.
  absl::Status Result() {
    if (exception_ != nullptr) {
      std::rethrow_exception(exception_);
    }
    return first_error_;
  }

 private:
  void Fail(std::size_t i, const absl::Status& status, std::exception_ptr exception) {
    const std::lock_guard lock(mutex_);
    if (!failed_ || i < first_) {
      first_ = i;
      first_error_ = status;
      exception_ = std::move(exception);
    }
    failed_ = true;
  }

  const std::size_t count_;
  absl::FunctionRef<absl::Status(std::size_t)> work_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::size_t first_ = 0;  // guarded by mutex_, as the rest
  absl::Status first_error_;
  std::exception_ptr exception_;
};

}  // namespace

absl::Status InParallel(int threads,
                        std::size_t count,
                        absl::FunctionRef<absl::Status(std::size_t)> work) {
  CHECK(threads >= 1);
  SharedWork shared(count, work);
  std::vector<std::thread> others;
  const std::size_t wanted = std::min(static_cast<std::size_t>(threads), count);
  try {
    for (std::size_t i = 1; i < wanted; ++i) {
      others.emplace_back([&shared] { shared.Run(); });
    }
  } catch (const std::system_error&) {
    // The machine gives no more threads: those that there are do it all.
  }
  shared.Run();
  for (std::thread& thread : others) {
    thread.join();
  }
  return shared.Result();
}

}  // namespace millrace::features
