#include "services/data/rpc/import_call.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/services/data/rpc/running_service.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ImportCallTest : public RunningService {};

TEST_F(ImportCallTest, ChunksOfAnySizeGiveTheSameVersionAndNoSecondCopy) {
  const std::string iris = Iris();
  ASSERT_TRUE(Import(UploadOf("datasets/iris", iris, iris.size())).ok());
  const std::string digest = version_.sha256();
  const auto blobs = *storage::PosixFileSystem().List(path() + "/blobs");

  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{1'000}}) {
    const grpc::Status status = Import(UploadOf("datasets/iris", iris, size));
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(version_.sha256(), digest) << size;
    EXPECT_EQ(version_.name(), "datasets/iris/versions/1");
  }
  EXPECT_THAT(Names(), ElementsAre("datasets/iris/versions/1"));
  EXPECT_EQ(*storage::PosixFileSystem().List(path() + "/blobs"), blobs);
  EXPECT_THAT(*storage::PosixFileSystem().List(uploads()), IsEmpty());
}

TEST_F(ImportCallTest, OtherOptionsMakeAnotherVersion) {
  auto messages = UploadOf("datasets/iris", Iris(), 1'000);
  ASSERT_TRUE(Import(messages).ok());
  const std::string digest = version_.sha256();

  messages[0].mutable_header()->mutable_options()->set_split_seed(5);
  ASSERT_TRUE(Import(messages).ok());
  EXPECT_NE(version_.sha256(), digest);
  EXPECT_EQ(version_.name(), "datasets/iris/versions/2");
}

TEST_F(ImportCallTest, WhatTheHeaderDetectedMayBeSaidToo) {
  auto messages = UploadOf("datasets/iris", Iris(), 1'000);
  ASSERT_TRUE(Import(messages).ok());
  const std::string digest = version_.sha256();

  *messages[0].mutable_header()->mutable_options() = version_.options();
  ASSERT_TRUE(Import(messages).ok());
  EXPECT_EQ(version_.sha256(), digest);
}

TEST_F(ImportCallTest, AWrongDigestIsDataLoss) {
  auto messages = UploadOf("datasets/iris", Iris(), 1'000);
  messages.back().mutable_close()->set_sha256(storage::Sha256Of("something else"));

  ExpectFailure(Import(messages), grpc::StatusCode::DATA_LOSS, "the bytes have SHA-256");
  ExpectNothingLeft();
}

TEST_F(ImportCallTest, AWrongSizeIsDataLoss) {
  auto messages = UploadOf("datasets/iris", Iris(), 1'000);
  messages.back().mutable_close()->set_size_bytes(7);

  ExpectFailure(Import(messages), grpc::StatusCode::DATA_LOSS, "7 bytes were sent, found");
  ExpectNothingLeft();
}

TEST_F(ImportCallTest, AStreamThatEndsWithoutACloseIsRefused) {
  auto messages = UploadOf("datasets/iris", Iris(), 1'000);
  messages.resize(3);

  ExpectFailure(Import(messages),
                grpc::StatusCode::INVALID_ARGUMENT,
                "the stream ended without a close after 2000 bytes");
  ExpectFailure(Import({}), grpc::StatusCode::INVALID_ARGUMENT, "without a close after 0 bytes");
  ExpectNothingLeft();
}

TEST_F(ImportCallTest, PartsOutOfTheirOrderAreRefused) {
  const auto refuse = [this](const std::vector<v1::ImportDatasetRequest>& messages,
                             const std::string& phrase) {
    ExpectFailure(Import(messages), grpc::StatusCode::INVALID_ARGUMENT, phrase);
    ExpectNothingLeft();
  };
  const auto header = HeaderOf("datasets/iris");

  refuse({ChunkOf(0, "a")}, "an import begins with its header, found a chunk");
  refuse({CloseOf("")}, "an import begins with its header, found a close");
  refuse({header, ChunkOf(0, "a"), header}, "an import has one header, found a second one");
  refuse({header, {}}, "a message of an import has a header, a chunk or a close, found none");
  refuse({header, ChunkOf(1, "a")}, "the next chunk must begin at byte 0, found offset 1");
  refuse({header, ChunkOf(0, "a"), ChunkOf(0, "a")}, "must begin at byte 1, found offset 0");
  refuse({header, ChunkOf(0, "")}, "a chunk must have 1 to 1048576 bytes, found 0");
  refuse({header, ChunkOf(0, std::string((1U << 20U) + 1, 'x'))}, "found 1048577");
}

TEST_F(ImportCallTest, AnUploadOverItsLimitIsRefused) {
  const std::string bytes(static_cast<std::size_t>(kUploadBytesMax) + 1, 'x');

  ExpectFailure(Import(UploadOf("datasets/iris", bytes, 60'000)),
                grpc::StatusCode::RESOURCE_EXHAUSTED,
                "at most 100000 bytes");
  ExpectNothingLeft();
}

TEST_F(ImportCallTest, BadHeadersAreRefused) {
  const auto refuse =
      [this](const std::string& dataset, const std::string& file, const std::string& phrase) {
        auto messages = UploadOf(dataset, Iris(), 1'000);
        messages[0].mutable_header()->set_file_name(file);
        ExpectFailure(Import(messages), grpc::StatusCode::INVALID_ARGUMENT, phrase);
        ExpectNothingLeft();
      };
  refuse("iris", "iris.csv", "header.dataset must be 'datasets/{id}'");
  refuse("", "iris.csv", "header.dataset must be 'datasets/{id}'");
  refuse("datasets/../x", "iris.csv", "header.dataset must be 'datasets/{id}'");
  refuse("datasets/iris/versions/1", "iris.csv", "must be 'datasets/iris' without a version");
  refuse("datasets/iris", "", "header.file_name must be a path's last part");
  refuse("datasets/iris", "/etc/passwd", "header.file_name must be a path's last part");
  for (const char* const name : {"a\nb",
                                 ".",
                                 "..",
                                 "a\xc2\x9b"
                                 "b.csv",
                                 "a\xe2\x80\xaevsc.exe",
                                 "\xe2\x81\xa6"
                                 "a.csv"}) {
    refuse("datasets/iris", name, "header.file_name must be a path's last part");
  }
  refuse("datasets/iris", std::string(256, 'a'), "found 256 bytes");
}

TEST_F(ImportCallTest, AFileThatCannotBeReadIsRefusedWithItsPlace) {
  ExpectFailure(Import(UploadOf("datasets/iris", "a,species\n1,x\n2\n", 5)),
                grpc::StatusCode::INVALID_ARGUMENT,
                "iris.csv:3");
  ExpectFailure(
      Import(UploadOf("datasets/iris", "", 5)), grpc::StatusCode::INVALID_ARGUMENT, "iris.csv");
  ExpectNothingLeft();
}

TEST_F(ImportCallTest, AStreamThatIsCancelledHalfWayLeavesNothing) {
  grpc::ClientContext context;
  const auto stream = stub_->ImportDataset(&context, &version_);
  ASSERT_TRUE(stream->Write(HeaderOf("datasets/iris")));
  ASSERT_TRUE(stream->Write(ChunkOf(0, "sepal")));
  context.TryCancel();

  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  Stop();
  ExpectNothingLeft();
}

// Eighteen of them once kept everybody else out, for ever.
TEST_F(ImportCallTest, StreamsThatWaitShutNobodyOutAndAreEnded) {
  constexpr int kStreams = 20;
  std::vector<grpc::ClientContext> contexts(kStreams);
  std::vector<v1::DatasetVersion> versions(kStreams);
  std::vector<std::unique_ptr<grpc::ClientWriter<v1::ImportDatasetRequest>>> streams;
  for (std::size_t i = 0; i < kStreams; ++i) {
    streams.push_back(stub_->ImportDataset(&contexts[i], &versions[i]));
    if (i % 2 == 0) {
      ASSERT_TRUE(streams.back()->Write(HeaderOf("datasets/iris")));
      ASSERT_TRUE(streams.back()->Write(ChunkOf(0, "a,b\n")));
    }
  }

  const grpc::Status imported = Import(UploadOf("datasets/iris", Iris(), 1'000));

  EXPECT_TRUE(imported.ok()) << imported.error_message();
  for (const auto& stream : streams) {
    ExpectFailure(
        stream->Finish(), grpc::StatusCode::DEADLINE_EXCEEDED, "no message came for 0.3 s");
  }
  EXPECT_THAT(*storage::PosixFileSystem().List(uploads()), IsEmpty());
}

// An upload with a name, and the same from `offset` on.
class NamedImportTest : public RunningService {
 protected:
  static std::vector<v1::ImportDatasetRequest> Named(std::size_t offset = 0) {
    auto messages = UploadOf("datasets/iris", Iris(), 1'000);
    messages.erase(messages.begin() + 1,
                   messages.begin() + 1 + static_cast<std::ptrdiff_t>(offset / 1'000));
    messages[0].mutable_header()->set_upload_id(kId);
    return messages;
  }

  grpc::Status GetUpload(const std::string& id = kId) {
    grpc::ClientContext context;
    transfer::v1::GetUploadRequest request;
    request.set_upload_id(id);
    return stub_->GetUpload(&context, request, &upload_);
  }

  void SendPart(std::size_t message_count) {
    auto messages = Named();
    messages.resize(message_count);
    ExpectFailure(Import(messages), grpc::StatusCode::INVALID_ARGUMENT, "without a close");
  }

  static constexpr const char* kId = "0123456789abcdef";
  transfer::v1::Upload upload_;
};

TEST_F(NamedImportTest, GoesOnWhereItsCallBrokeAndMakesTheSameVersion) {
  ASSERT_TRUE(Import(UploadOf("datasets/other", Iris(), 1'000)).ok());
  const std::string digest = version_.sha256();
  SendPart(3);
  ASSERT_TRUE(GetUpload().ok());
  EXPECT_EQ(upload_.upload_id(), kId);
  EXPECT_EQ(upload_.received_bytes(), 2'000);
  EXPECT_GT(upload_.expire_time().seconds(), 0);

  const grpc::Status status = Import(Named(2'000));

  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(version_.sha256(), digest);
  EXPECT_EQ(version_.sources(0).sha256(), storage::ToHex(storage::Sha256Of(Iris())));
}

TEST_F(NamedImportTest, AnsweredForItIsGoneAndSentAgainItIsTheSameVersion) {
  ASSERT_TRUE(Import(Named()).ok());
  const v1::DatasetVersion answer = version_;
  ExpectFailure(GetUpload(), grpc::StatusCode::NOT_FOUND, "no such upload that can go on");
  EXPECT_THAT(*storage::PosixFileSystem().List(uploads()), IsEmpty());

  ASSERT_TRUE(Import(Named()).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(version_, answer));
  EXPECT_THAT(Names(), ElementsAre("datasets/iris/versions/1"));
  EXPECT_THAT(*storage::PosixFileSystem().List(uploads()), IsEmpty());
}

TEST_F(NamedImportTest, SentAgainFromItsStartItNeedsNoQuestion) {
  SendPart(3);
  const grpc::Status status = Import(Named());
  ASSERT_TRUE(status.ok()) << status.error_message();
}

TEST_F(NamedImportTest, AChunkBeyondWhatIsThereIsRefusedAndTheUploadStays) {
  SendPart(3);
  ExpectFailure(Import(Named(3'000)),
                grpc::StatusCode::INVALID_ARGUMENT,
                "the upload has 2000 bytes; the next chunk must begin there or before");
  ASSERT_TRUE(GetUpload().ok());
  EXPECT_EQ(upload_.received_bytes(), 2'000);
}

TEST_F(NamedImportTest, IsBoundToItsHeader) {
  SendPart(3);
  auto messages = Named(2'000);
  messages[0].mutable_header()->mutable_options()->set_split_seed(5);
  ExpectFailure(Import(messages), grpc::StatusCode::INVALID_ARGUMENT, "with another header");
}

TEST_F(NamedImportTest, AFileThatCannotBeReadDoesNotStay) {
  auto messages = UploadOf("datasets/iris", "a,species\n1,x\n2\n", 5);
  messages[0].mutable_header()->set_upload_id(kId);
  ExpectFailure(Import(messages), grpc::StatusCode::INVALID_ARGUMENT, "iris.csv:3");
  ExpectFailure(GetUpload(), grpc::StatusCode::NOT_FOUND, "go on");
  ExpectNothingLeft();
}

TEST_F(NamedImportTest, NamesAreChecked) {
  auto messages = Named();
  messages[0].mutable_header()->set_upload_id("../0123456789abcdef");
  ExpectFailure(Import(messages), grpc::StatusCode::INVALID_ARGUMENT, "upload_id must be 16 to 64");
  ExpectFailure(GetUpload(""), grpc::StatusCode::INVALID_ARGUMENT, "upload_id must be 16 to 64");
  ExpectNothingLeft();
}

// A pipeline that waits to be stopped, or to be let go with an error.
class Gate {
 public:
  absl::StatusOr<ImportResult> Wait(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    const bool open = changed_.wait(lock, stop, [this] { return open_; });
    stopped_ = !open;
    return open ? FailedPrecondition("let go") : Cancelled("stopped");
  }

  void AwaitWaiting(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ == count; });
  }

  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

  bool stopped() {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  int waiting_ = 0;  // all guarded by mutex_
  bool open_ = false;
  bool stopped_ = false;
};

// A base, so that it is there before the service and after it.
struct GateHolder {
  Gate gate;
};

class GatedImportCallTest : public GateHolder, public RunningService {
 protected:
  GatedImportCallTest()
      : RunningService(storage::PosixFileSystem(),
                       [this](const v1::ImportHeader& /*header*/,
                              const StagedFile& /*file*/,
                              const ImportMeans& /*means*/,
                              const std::stop_token& stop) { return gate.Wait(stop); }) {}
};

TEST_F(GatedImportCallTest, CancellingStopsThePipeline) {
  grpc::ClientContext context;
  grpc::Status status;
  std::thread client([&] { status = Import(context, UploadOf("datasets/iris", Iris(), 1'000)); });
  gate.AwaitWaiting(1);
  context.TryCancel();
  client.join();
  Stop();

  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(gate.stopped());
  ExpectNothingLeft();
}

TEST_F(GatedImportCallTest, ANamedUploadThatIsCancelledInThePipelineNeedsOnlyItsCloseAgain) {
  auto messages = UploadOf("datasets/iris", Iris(), 1'000);
  messages[0].mutable_header()->set_upload_id("0123456789abcdef");
  grpc::ClientContext context;
  std::thread client([&] { Import(context, messages); });
  gate.AwaitWaiting(1);
  ExpectFailure(Import(messages), grpc::StatusCode::UNAVAILABLE, "whole and being worked on");
  context.TryCancel();
  client.join();
  while (!gate.stopped()) {
    std::this_thread::yield();
  }
  gate.Open();

  const std::vector<v1::ImportDatasetRequest> rest = {messages.front(), messages.back()};
  grpc::Status status;
  do {  // until the service has seen that the first call is gone
    status = Import(rest);
  } while (status.error_code() == grpc::StatusCode::UNAVAILABLE);
  ExpectFailure(status, grpc::StatusCode::FAILED_PRECONDITION, "let go");
  Stop();
  ExpectNothingLeft();
}

TEST_F(GatedImportCallTest, AnExpiredDeadlineStopsThePipeline) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));

  EXPECT_EQ(Import(context, UploadOf("datasets/iris", Iris(), 1'000)).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  Stop();
  ExpectNothingLeft();
}

TEST_F(GatedImportCallTest, OneImportTooManyIsRefusedAndOnesThatEndMakeRoom) {
  std::vector<std::thread> clients;
  std::vector<grpc::Status> statuses(kImportsMax);
  for (int i = 0; i < kImportsMax; ++i) {
    clients.emplace_back([this, &status = statuses[static_cast<std::size_t>(i)]] {
      grpc::ClientContext context;
      v1::DatasetVersion version;
      const auto stream = stub_->ImportDataset(&context, &version);
      for (const auto& message : UploadOf("datasets/iris", Iris(), 1'000)) {
        stream->Write(message);
      }
      status = stream->Finish();
    });
  }
  gate.AwaitWaiting(kImportsMax);
  ExpectFailure(Import(UploadOf("datasets/iris", Iris(), 1'000)),
                grpc::StatusCode::RESOURCE_EXHAUSTED,
                "2 imports are under way already");
  gate.Open();
  for (std::thread& client : clients) {
    client.join();
  }
  for (const grpc::Status& status : statuses) {
    ExpectFailure(status, grpc::StatusCode::FAILED_PRECONDITION, "let go");
  }
  ExpectFailure(Import(UploadOf("datasets/iris", Iris(), 1'000)),
                grpc::StatusCode::FAILED_PRECONDITION,
                "let go");
  ExpectNothingLeft();
}

class SmallAnswersTest : public RunningService {
 protected:
  SmallAnswersTest()
      : RunningService(storage::PosixFileSystem(), RunPipeline, {}, /*answer_bytes_max=*/1'500) {}
};

// It was stored and listed once, and could be neither described nor trained on.
TEST_F(SmallAnswersTest, AVersionThatNoAnswerCanTellOfIsNotMade) {
  ExpectFailure(Import(UploadOf("datasets/iris", Iris(), 1'000)),
                grpc::StatusCode::INVALID_ARGUMENT,
                "an answer has at most 1500 (server.message_bytes_max)");
  ExpectNothingLeft();
}

class ThrowingImportCallTest : public RunningService {
 protected:
  ThrowingImportCallTest()
      : RunningService(storage::PosixFileSystem(),
                       [](const v1::ImportHeader& /*header*/,
                          const StagedFile& /*file*/,
                          const ImportMeans& /*means*/,
                          const std::stop_token& /*stop*/) -> absl::StatusOr<ImportResult> {
                         throw std::bad_alloc();
                       }) {}
};

TEST_F(ThrowingImportCallTest, TooLittleMemoryEndsTheImportAndNotTheService) {
  ExpectFailure(Import(UploadOf("datasets/iris", Iris(), 1'000)),
                grpc::StatusCode::RESOURCE_EXHAUSTED,
                "there is not enough memory for this call");
  EXPECT_THAT(Names(), IsEmpty());
  ExpectNothingLeft();
}

struct DiskHolder {
  storage::FaultyFileSystem disk{/*failing=*/4};  // the second chunk's append
};

class FaultyImportCallTest : public DiskHolder, public RunningService {
 protected:
  FaultyImportCallTest() : RunningService(disk) {}
};

TEST_F(FaultyImportCallTest, ADiskThatFailsUnderAnUploadIsUnavailable) {
  ExpectFailure(Import(UploadOf("datasets/iris", Iris(), 2'000)),
                grpc::StatusCode::UNAVAILABLE,
                "append failed on purpose");
  ExpectNothingLeft();
}

}  // namespace
}  // namespace millrace::data
