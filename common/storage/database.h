// Database: SQLite with one connection a file, as this machine's version needs it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/storage/reserve.h"

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
///
/// SQLite has no checksums: it finds damage to its own structure and not to what a row says. So a
/// table, which then has a primary key, seals its rows by a last column
///
///     seal INTEGER NOT NULL AS (row_seal({all other columns, in their order})) STORED
///
/// which SQLite fills at every change and nobody reads but Damage(). row_seal() gives the first 8
/// bytes of the SHA-256 over the kinds and bytes of its arguments.
class Database {
 public:
  /// Opens or makes `path` and brings its schema up: `migrations[i]` turns version i into i + 1 and
  /// is recorded in user_version. A file of a newer version fails with FAILED_PRECONDITION, a
  /// damaged one with DATA_LOSS. Pass ":memory:" in tests.
  ///
  /// What a process that was killed has written becomes durable here, before anything is built on
  /// it: a row that it deleted without the sync could come back after a power cut, and what the row
  /// names would be gone.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path,
                                                        const std::vector<std::string>& migrations);

  /// Opens a file that is there, of a schema version up to `version_max`, and leaves its schema as
  /// it is. NOT_FOUND when there is none.
  static absl::StatusOr<std::unique_ptr<Database>> OpenAsItIs(const std::string& path,
                                                              std::size_t version_max);

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

  /// The same where `work` makes room and only that: on a full disk it gets the folder's reserve
  /// (reserve.h) and is run a second time.
  absl::Status TransactToRemove(const std::function<absl::Status()>& work);

  /// What is wrong with the whole file: pages, indexes and constraints, in SQLite's words;
  /// references between tables; rows that do not fit their seal. Empty when nothing is. Reads
  /// everything; names up to 100 rows of a table.
  absl::StatusOr<std::vector<std::string>> Damage();

  /// Makes `path`, which must not be there, a durable copy of what is committed (SQLite's online
  /// backup), and then calls `and_then`, before anybody changes what was copied. Copying the file
  /// itself would drop this process's locks on it.
  absl::Status CopyTo(
      const std::string& path,
      absl::FunctionRef<absl::Status()> and_then = [] { return absl::OkStatus(); });

 private:
  Database() = default;

  static absl::StatusOr<std::unique_ptr<Database>> Connect(const std::string& path);
  absl::Status Configure(const std::string& path);
  absl::StatusOr<std::size_t> Version(const std::string& path, std::size_t version_max);
  absl::Status Migrate(const std::string& path, const std::vector<std::string>& migrations);
  absl::Status Execute(const std::string& sql);
  absl::StatusOr<std::vector<std::string>> BrokenSeals(const std::string& table);
  [[nodiscard]] absl::Status Failure(std::string_view action) const;

  std::shared_ptr<Reserve> reserve_;  // of the file's folder; null in memory
  std::recursive_mutex mutex_;
  sqlite3* connection_ = nullptr;  // guarded by mutex_
};

/// DATA_LOSS when there is no file at `path`. For a state that holds what only its catalog can
/// name: a new one would call all of it unused.
absl::Status CheckCatalogIsThere(const std::string& path);

/// The value of that kind. Requires: it is of that kind.
std::int64_t IntegerOf(const DatabaseValue& value);
const std::string& TextOf(const DatabaseValue& value);
const std::string& BytesOf(const DatabaseValue& value);

}  // namespace millrace::storage
