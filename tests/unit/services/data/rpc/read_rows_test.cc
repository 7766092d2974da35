#include "services/data/rpc/read_rows.h"

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/features/cell.h"
#include "tests/unit/services/data/rpc/running_service.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;

// A cell as a CSV file has it.
std::string CsvCell(const schema::v1::Value& value) {
  std::string text;
  if (value.has_number()) {
    features::ShortestText(value.number(), text);
  } else {
    text = value.text();
  }
  if (text.find_first_of(",\"\n\r") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + '"';
}

// A file with everything that a cell can be.
std::string MixedFile() {
  std::string text = "id,size,count,colour,member,seen,species\n";
  for (int i = 0; i < 200; ++i) {
    text += fmt::format("k{},{},{},{},{},2024-02-{:02}{},{}\n",
                        i,
                        i % 9 == 0 ? "N/A" : fmt::format("{}.{}e-1", i - 50, i),
                        i % 7,
                        i % 5 == 0   ? "\" a \"\"b\"\", c\nd \""
                        : i % 5 == 1 ? "?"
                                     : " red ",
                        i % 2 == 0 ? "Yes" : "no",
                        1 + i % 28,
                        i % 3 == 0   ? "T10:00:00.125+01:00"
                        : i % 3 == 1 ? " 23:59"
                                     : "",
                        i % 2 == 0 ? "x" : "y");
  }
  return text;
}

class ReadRowsTest : public RunningService {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Import(UploadOf("datasets/mixed", MixedFile(), 10'000)).ok());
    request_.set_name("datasets/mixed");
  }

  grpc::Status Read(grpc::ClientContext& context) {
    return ReadAll(*stub_->ReadRows(&context, request_), messages_);
  }

  grpc::Status Read() {
    grpc::ClientContext context;
    return Read(context);
  }

  /// Every row as a line of CSV, in order.
  std::vector<std::string> Lines() {
    const grpc::Status status = Read();
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> lines;
    for (const auto& message : messages_) {
      EXPECT_EQ(message.first_row(),
                request_.first_row() + static_cast<std::int64_t>(lines.size()));
      for (const auto& row : message.rows()) {
        std::vector<std::string> cells;
        for (const auto& value : row.values()) {
          cells.push_back(CsvCell(value));
        }
        lines.push_back(fmt::format("{}", fmt::join(cells, ",")));
      }
    }
    return lines;
  }

  v1::ReadRowsRequest request_;
  std::vector<v1::ReadRowsResponse> messages_;
};

TEST_F(ReadRowsTest, NamesEveryColumnOnceAndGivesEveryRow) {
  request_.set_rows_max(64);
  EXPECT_EQ(Lines().size(), 200U);

  ASSERT_EQ(messages_.size(), 4U);
  EXPECT_THAT(messages_[0].columns(),
              ElementsAre("id", "size", "count", "colour", "member", "seen", "species"));
  EXPECT_EQ(messages_[1].columns_size(), 0);
  EXPECT_EQ(messages_[1].rows_size(), 64);
  EXPECT_EQ(messages_[3].rows_size(), 8);
}

TEST_F(ReadRowsTest, ACellIsWhatTheFileSaid) {
  ASSERT_TRUE(Read().ok());
  const auto& rows = messages_[0].rows();

  EXPECT_EQ(rows[0].values(1).kind_case(), schema::v1::Value::KIND_NOT_SET) << "N/A";
  EXPECT_EQ(rows[1].values(1).number(), -4.91e-0 + 0.0) << "-49.1e-1";
  EXPECT_EQ(rows[0].values(3).text(), "a \"b\", c\nd") << "trimmed";
  EXPECT_EQ(rows[0].values(4).text(), "Yes");
  EXPECT_EQ(rows[0].values(5).text(), "2024-02-01T09:00:00.125Z");
  EXPECT_EQ(rows[1].values(5).text(), "2024-02-02T23:59:00Z");
}

// Goal: what is read is what was imported. Method: send the rows as a file back through an import;
// the cells, types and splits are the same, and so are the rows that are read of it.
TEST_F(ReadRowsTest, RowsSentBackAsAFileGiveTheSameCells) {
  const v1::DatasetVersion first = version_;
  const std::vector<std::string> lines = Lines();
  std::string text = "id,size,count,colour,member,seen,species\n";
  for (const std::string& line : lines) {
    text += line;
    text += '\n';
  }
  ASSERT_TRUE(Import(UploadOf("datasets/back", text, 10'000)).ok());

  EXPECT_EQ(version_.row_count(), first.row_count());
  ASSERT_EQ(version_.schema().columns_size(), first.schema().columns_size());
  for (int c = 0; c < first.schema().columns_size(); ++c) {
    EXPECT_EQ(version_.schema().columns(c).type(), first.schema().columns(c).type()) << c;
  }
  EXPECT_EQ(version_.transforms().ShortDebugString(), first.transforms().ShortDebugString());
  request_.set_name("datasets/back");
  EXPECT_EQ(Lines(), lines);
  request_.set_split(schema::v1::SPLIT_TEST);
  const std::vector<std::string> test = Lines();
  request_.set_name("datasets/mixed");
  EXPECT_EQ(Lines(), test) << "the same rows are in the same splits";
}

TEST_F(ReadRowsTest, SplitsTogetherAreAllRows) {
  const std::vector<std::string> all = Lines();
  std::vector<std::string> together;
  for (const auto split :
       {schema::v1::SPLIT_TRAIN, schema::v1::SPLIT_VALIDATION, schema::v1::SPLIT_TEST}) {
    request_.set_split(split);
    for (const std::string& line : Lines()) {
      together.push_back(line);
    }
  }
  EXPECT_THAT(together, testing::UnorderedElementsAreArray(all));
}

TEST_F(ReadRowsTest, GoesOnWhereAReaderSays) {
  request_.set_split(schema::v1::SPLIT_TRAIN);
  const std::vector<std::string> all = Lines();
  for (const std::size_t first : {std::size_t{1}, std::size_t{77}, all.size()}) {
    request_.set_first_row(static_cast<std::int64_t>(first));
    EXPECT_EQ(
        Lines(),
        std::vector<std::string>(all.begin() + static_cast<std::ptrdiff_t>(first), all.end()));
    EXPECT_EQ(messages_[0].columns_size(), 7) << "the first message names the columns";
  }
}

TEST_F(ReadRowsTest, AMessageEndsAtOneMebibyte) {
  std::string text = "note,x,species\n";
  for (int i = 0; i < 40; ++i) {
    text += fmt::format("{}{},{},{}\n", std::string(2'000, 'a'), i, i * i, i % 2);
  }
  ASSERT_TRUE(Import(UploadOf("datasets/long", text, 10'000)).ok());
  request_.set_name("datasets/long");
  EXPECT_EQ(Lines().size(), 40U);
  for (const auto& message : messages_) {
    EXPECT_LE(message.ByteSizeLong(), std::size_t{1} << 20U);
  }
}

TEST_F(ReadRowsTest, BadRequestsAreRefused) {
  request_.set_name("datasets/none");
  ExpectFailure(Read(), grpc::StatusCode::NOT_FOUND, "there is no datasets/none");
  request_.set_name("../none");
  ExpectFailure(Read(), grpc::StatusCode::INVALID_ARGUMENT, "name must be 'datasets/{id}'");
  request_.set_name("datasets/mixed");
  request_.set_rows_max(4'097);
  ExpectFailure(Read(), grpc::StatusCode::INVALID_ARGUMENT, "rows_max must be in [0, 4096]");
  request_.set_rows_max(0);
  request_.set_first_row(201);
  ExpectFailure(Read(), grpc::StatusCode::INVALID_ARGUMENT, "first_row must be in [0, 200]");
  request_.set_first_row(-1);
  ExpectFailure(Read(), grpc::StatusCode::INVALID_ARGUMENT, "found -1");
}

TEST_F(ReadRowsTest, AReaderThatGoesEndsTheCallOnTheServerToo) {
  request_.set_rows_max(1);
  grpc::ClientContext context;
  const auto stream = stub_->ReadRows(&context, request_);
  v1::ReadRowsResponse message;
  ASSERT_TRUE(stream->Read(&message));
  context.TryCancel();
  while (stream->Read(&message)) {
  }

  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  Stop();                     // returns only when the call has ended
  while (disk_.load() > 0) {  // the task that ended it returns
    std::this_thread::yield();
  }
}

class BoundedReadsTest : public RunningService {
 protected:
  BoundedReadsTest()
      : RunningService(storage::PosixFileSystem(), RunPipeline, {.cache = {}, .bytes_max = 1}) {
    EXPECT_TRUE(Import(UploadOf("datasets/iris", Iris(), 1'000)).ok());
    rows_.set_name("datasets/iris");
    examples_.set_name("datasets/iris");
    examples_.set_split(schema::v1::SPLIT_TRAIN);
  }

  grpc::Status ReadRows() {
    grpc::ClientContext context;
    std::vector<v1::ReadRowsResponse> messages;
    return ReadAll(*stub_->ReadRows(&context, rows_), messages);
  }

  grpc::Status ReadExamples() {
    grpc::ClientContext context;
    std::vector<v1::ReadExamplesResponse> messages;
    return ReadAll(*stub_->ReadExamples(&context, examples_), messages);
  }

  v1::ReadRowsRequest rows_;
  v1::ReadExamplesRequest examples_;
};

TEST_F(BoundedReadsTest, OpenReadersAreBoundedTogetherAndOneThatEndsMakesRoom) {
  rows_.set_rows_max(1);
  {
    grpc::ClientContext context;
    const auto open = stub_->ReadRows(&context, rows_);
    v1::ReadRowsResponse message;
    ASSERT_TRUE(open->Read(&message));

    ExpectFailure(ReadRows(), grpc::StatusCode::RESOURCE_EXHAUSTED, "limits.readers_bytes_max");
    ExpectFailure(ReadExamples(), grpc::StatusCode::RESOURCE_EXHAUSTED, "readers_bytes_max");
    EXPECT_THAT(Names(), ElementsAre("datasets/iris/versions/1"));
    std::vector<v1::ReadRowsResponse> rest;
    EXPECT_TRUE(ReadAll(*open, rest).ok());
  }
  grpc::Status status;
  do {  // until the service has seen that the first one has its answer
    status = ReadRows();
  } while (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace millrace::data
