// Database: SQLite with one connection a file, as this machine's version needs it.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

struct sqlite3;

namespace millrace::storage {

/// A value of a row: nothing, an integer, a text or bytes.
struct Blob {
  std::string bytes;
};

using DatabaseValue = std::variant<std::monostate, std::int64_t, std::string, Blob>;
using DatabaseRow = std::vector<DatabaseValue>;

/// One open database: WAL, synchronous=FULL, foreign keys, defensive. What a commit acknowledged is
/// on the medium. Thread-safe: calls are serialised on the one connection. The file is locked
/// against any other, which SQLite 3.40 needs: with two, its WAL can lose commits.
class Database {
 public:
  /// Opens or makes `path` and brings its schema up: `migrations[i]` turns version i into i + 1 and
  /// is recorded in user_version. A file of a newer version fails with FAILED_PRECONDITION, a
  /// damaged one with DATA_LOSS. Pass ":memory:" in tests.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path,
                                                        const std::vector<std::string>& migrations);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs one statement with `?` parameters and returns its rows. A broken UNIQUE constraint is
  /// ALREADY_EXISTS, another broken constraint FAILED_PRECONDITION, a full disk RESOURCE_EXHAUSTED.
  absl::StatusOr<std::vector<DatabaseRow>> Query(std::string_view sql,
                                                 const DatabaseRow& parameters = {});

  /// Runs `work` inside one transaction: committed when it returns OK, undone otherwise. Inside it,
  /// Query() of the same thread takes part.
  absl::Status Transact(const std::function<absl::Status()>& work);

 private:
  Database() = default;

  absl::Status Configure(const std::string& path);
  absl::Status Migrate(const std::string& path, const std::vector<std::string>& migrations);
  absl::Status Execute(const std::string& sql);
  [[nodiscard]] absl::Status Failure(std::string_view action) const;

  std::recursive_mutex mutex_;
  sqlite3* connection_ = nullptr;  // guarded by mutex_
};

/// The value of that kind. Requires: it is of that kind.
std::int64_t IntegerOf(const DatabaseValue& value);
const std::string& TextOf(const DatabaseValue& value);
const std::string& BytesOf(const DatabaseValue& value);

}  // namespace millrace::storage
