#include "common/storage/database.h"

#include <cerrno>
#include <cstddef>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/status/check.h"
#include "common/status/status.h"
#include "common/storage/posix_error.h"

namespace millrace::storage {

namespace {

constexpr char kInMemory[] = ":memory:";

using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

absl::StatusCode CodeOf(int result, int extended) {
  switch (result) {
    case SQLITE_CONSTRAINT:
      return extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
                     extended == SQLITE_CONSTRAINT_ROWID
                 ? absl::StatusCode::kAlreadyExists
                 : absl::StatusCode::kFailedPrecondition;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInternal;
  }
}

// Text and bytes are not copied: `value` outlives the statement.
int Bind(sqlite3_stmt* statement, int index, const DatabaseValue& value) {
  if (const auto* const integer = std::get_if<std::int64_t>(&value)) {
    return sqlite3_bind_int64(statement, index, *integer);
  }
  if (const auto* const text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), nullptr, SQLITE_UTF8);
  }
  if (const auto* const blob = std::get_if<Blob>(&value)) {
    return sqlite3_bind_blob64(statement, index, blob->bytes.data(), blob->bytes.size(), nullptr);
  }
  return sqlite3_bind_null(statement, index);
}

std::string BytesAt(sqlite3_stmt* statement, int column) {
  const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return size == 0 ? std::string() : std::string(data, size);
}

DatabaseValue ValueAt(sqlite3_stmt* statement, int column) {
  const int type = sqlite3_column_type(statement, column);
  CHECK(type != SQLITE_FLOAT);  // no schema of ours has such a column
  switch (type) {
    case SQLITE_INTEGER:
      return sqlite3_column_int64(statement, column);
    case SQLITE_TEXT:
      return BytesAt(statement, column);
    case SQLITE_BLOB:
      return Blob{BytesAt(statement, column)};
    default:
      return std::monostate();
  }
}

// Makes the file readable by its owner alone; SQLite gives its journal the same rights.
absl::Status CreateFile(const std::string& path) {
  const int descriptor =
      open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) {
    return PosixError("open", path, errno);
  }
  close(descriptor);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const std::string& path,
    const std::vector<std::string>& migrations) {
  if (path != kInMemory) {
    RETURN_IF_ERROR(CreateFile(path));
  }
  std::unique_ptr<Database> database(new Database());
  constexpr int kFlags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(path.c_str(), &database->connection_, kFlags, nullptr) != SQLITE_OK) {
    return database->Failure("opening " + path);
  }
  RETURN_IF_ERROR(database->Configure(path));
  RETURN_IF_ERROR(database->Migrate(path, migrations));
  return database;
}

Database::~Database() {
  sqlite3_close(connection_);
}

absl::Status Database::Configure(const std::string& path) {
  sqlite3_extended_result_codes(connection_, 1);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  const absl::Status configured = Execute(
      "PRAGMA cell_size_check = ON; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  if (absl::IsUnavailable(configured)) {
    return WithFix(Annotate(configured, path), "another process may have it open: end that one");
  }
  if (!configured.ok()) {
    return Annotate(configured, path);
  }
  const auto checked = Query("PRAGMA quick_check(1)");
  if (!checked.ok()) {
    return Annotate(checked.status(), path);
  }
  if (checked->size() != 1 || TextOf(checked->front().front()) != "ok") {
    return WithFix(DataLoss("{} is damaged: {}", path, TextOf(checked->front().front())),
                   "restore it from a backup");
  }
  return absl::OkStatus();
}

absl::Status Database::Migrate(const std::string& path,
                               const std::vector<std::string>& migrations) {
  ASSIGN_OR_RETURN(const std::vector<DatabaseRow> rows, Query("PRAGMA user_version"));
  const std::int64_t found = IntegerOf(rows.at(0).at(0));
  const auto known = static_cast<std::int64_t>(migrations.size());
  if (found < 0 || found > known) {
    return WithFix(FailedPrecondition(
                       "{} has schema version {}, this program knows up to {}", path, found, known),
                   "start the newer program that wrote it");
  }
  for (std::int64_t version = found; version < known; ++version) {
    const absl::Status migrated = Transact([&]() -> absl::Status {
      RETURN_IF_ERROR(Execute(migrations[static_cast<std::size_t>(version)]));
      return Execute(fmt::format("PRAGMA user_version = {}", version + 1));
    });
    if (!migrated.ok()) {
      return Annotate(migrated, fmt::format("{}: schema version {}", path, version + 1));
    }
  }
  return absl::OkStatus();
}

absl::Status Database::Execute(const std::string& sql) {
  const std::lock_guard lock(mutex_);
  if (sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Failure("database");
  }
  return absl::OkStatus();
}

absl::Status Database::Failure(std::string_view action) const {
  const int extended = sqlite3_extended_errcode(connection_);
  return {CodeOf(extended & 0xFF, extended),
          fmt::format("{}: {}", action, sqlite3_errmsg(connection_))};
}

absl::StatusOr<std::vector<DatabaseRow>> Database::Query(std::string_view sql,
                                                         const DatabaseRow& parameters) {
  const std::lock_guard lock(mutex_);
  sqlite3_stmt* raw = nullptr;
  const int size = static_cast<int>(sql.size());
  if (sqlite3_prepare_v2(connection_, sql.data(), size, &raw, nullptr) != SQLITE_OK) {
    return Failure("database");
  }
  const Statement statement(raw, sqlite3_finalize);
  CHECK(static_cast<int>(parameters.size()) == sqlite3_bind_parameter_count(raw));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (Bind(raw, static_cast<int>(i) + 1, parameters[i]) != SQLITE_OK) {
      return Failure("database");
    }
  }
  std::vector<DatabaseRow> rows;
  int result = sqlite3_step(raw);
  for (; result == SQLITE_ROW; result = sqlite3_step(raw)) {
    DatabaseRow& row = rows.emplace_back();
    for (int column = 0; column < sqlite3_column_count(raw); ++column) {
      row.push_back(ValueAt(raw, column));
    }
  }
  if (result != SQLITE_DONE) {
    return Failure("database");
  }
  return rows;
}

absl::Status Database::Transact(const std::function<absl::Status()>& work) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(Execute("BEGIN IMMEDIATE"));
  absl::Status status = work();
  if (status.ok()) {
    status = Execute("COMMIT");
  }
  if (!status.ok() && sqlite3_get_autocommit(connection_) == 0) {
    Execute("ROLLBACK")
        .IgnoreError();  // a failed one leaves nothing either: it was never committed
  }
  return status;
}

std::int64_t IntegerOf(const DatabaseValue& value) {
  const auto* const integer = std::get_if<std::int64_t>(&value);
  CHECK(integer != nullptr);
  return *integer;
}

const std::string& TextOf(const DatabaseValue& value) {
  const auto* const text = std::get_if<std::string>(&value);
  CHECK(text != nullptr);
  return *text;
}

const std::string& BytesOf(const DatabaseValue& value) {
  const auto* const blob = std::get_if<Blob>(&value);
  CHECK(blob != nullptr);
  return blob->bytes;
}

}  // namespace millrace::storage
