#include "services/serving/rpc/upload.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include "tests/unit/services/serving/rpc/serving_stack.h"

namespace millrace::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

v1::UploadModelRequest Header(const std::string& model) {
  v1::UploadModelRequest message;
  message.mutable_header()->set_model(model);
  return message;
}

v1::UploadModelRequest Chunk(std::int64_t offset, const std::string& data) {
  v1::UploadModelRequest message;
  message.mutable_chunk()->set_offset(offset);
  message.mutable_chunk()->set_data(data);
  return message;
}

v1::UploadModelRequest Close(const std::string& bytes) {
  v1::UploadModelRequest message;
  message.mutable_close()->set_size_bytes(static_cast<std::int64_t>(bytes.size()));
  message.mutable_close()->set_sha256(storage::Sha256Of(bytes));
  return message;
}

class UploadTest : public ServingStackTest {
 protected:
  grpc::Status Upload(const std::vector<v1::UploadModelRequest>& messages) {
    Call call;
    version_.Clear();
    const auto stream = stack_->stub->UploadModel(&call.context, &version_);
    for (const v1::UploadModelRequest& message : messages) {
      if (!stream->Write(message)) {
        break;
      }
    }
    stream->WritesDone();
    return stream->Finish();
  }

  grpc::Status UploadWhole(const std::string& bytes) {
    return Upload({Header("models/m"), Chunk(0, bytes), Close(bytes)});
  }

  void ExpectError(const std::vector<v1::UploadModelRequest>& messages,
                   grpc::StatusCode code,
                   const std::string& phrase) {
    const grpc::Status status = Upload(messages);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(phrase));
    EXPECT_THAT(stack_->models->VersionsOf("m"), IsEmpty());
  }

  [[nodiscard]] std::size_t StagedCount() const {
    std::size_t count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(fmt::format("{}/uploads", folder_.path()))) {
      count += entry.is_regular_file() ? 1U : 0U;
    }
    return count;
  }

  v1::ModelVersion version_;
  const std::string bytes_ = SmallBytes(1);
};

TEST_F(UploadTest, MakesAVersionThatAnswers) {
  ASSERT_TRUE(UploadWhole(bytes_).ok());

  EXPECT_EQ(version_.name(), "models/m/versions/1");
  EXPECT_EQ(version_.traffic_percent(), 100);
  EXPECT_EQ(version_.size_bytes(), static_cast<std::int64_t>(bytes_.size()));
  EXPECT_TRUE(stack_->models->Find("models/m").ok());
}

TEST_F(UploadTest, ChunksOfAnySizeMakeTheSameVersion) {
  ASSERT_TRUE(UploadWhole(bytes_).ok());
  std::vector<v1::UploadModelRequest> messages = {Header("models/m")};
  for (std::size_t at = 0; at < bytes_.size(); at += 37) {
    messages.push_back(Chunk(static_cast<std::int64_t>(at), bytes_.substr(at, 37)));
  }
  messages.push_back(Close(bytes_));

  ASSERT_TRUE(Upload(messages).ok());

  EXPECT_EQ(version_.name(), "models/m/versions/1") << "the same bytes";
  EXPECT_THAT(stack_->models->VersionsOf("m"), ElementsAre(1));
}

TEST_F(UploadTest, WrongOrderIsRefused) {
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  ExpectError({Chunk(0, bytes_)}, kInvalid, "must begin with its header");
  ExpectError({Close(bytes_)}, kInvalid, "must begin with its header");
  ExpectError({Header("models/m"), Header("models/m")}, kInvalid, "found a second");
  ExpectError({Header("models/m"), Chunk(5, bytes_)}, kInvalid, "5");
  ExpectError(
      {Header("models/m"), v1::UploadModelRequest()}, kInvalid, "a header, a chunk or a close");
}

TEST_F(UploadTest, AModelsNameMustBeOne) {
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  ExpectError({Header("m")}, kInvalid, "header.model");
  ExpectError({Header("models/../m")}, kInvalid, "header.model");
  ExpectError({Header("models/m/versions/3")}, kInvalid, "serving numbers the versions");
}

TEST_F(UploadTest, AWrongDigestATruncationAndOtherBytesChangeNothing) {
  ExpectError(
      {Header("models/m"), Chunk(0, bytes_), Close(bytes_ + "x")}, grpc::StatusCode::DATA_LOSS, "");
  const std::string half = bytes_.substr(0, bytes_.size() / 2);
  ExpectError({Header("models/m"), Chunk(0, half), Close(bytes_)}, grpc::StatusCode::DATA_LOSS, "");
  ExpectError({Header("models/m"), Chunk(0, half), Close(half)},
              grpc::StatusCode::DATA_LOSS,
              "the bundle ends in its");
  const std::string other = "not a bundle";
  ExpectError({Header("models/m"), Chunk(0, other), Close(other)},
              grpc::StatusCode::INVALID_ARGUMENT,
              "not a bundle");
}

TEST_F(UploadTest, AStreamThatStopsHalfWayChangesNothingAndLeavesNothing) {
  ExpectError({Header("models/m"), Chunk(0, bytes_.substr(0, 100))},
              grpc::StatusCode::INVALID_ARGUMENT,
              "ended before its close, after 100 bytes");
  stack_->server->Stop(std::chrono::seconds(60));  // so that the call has ended here too

  EXPECT_EQ(StagedCount(), 0U);
}

TEST_F(UploadTest, ACancelledStreamLeavesNothing) {
  {
    Call call;
    const auto stream = stack_->stub->UploadModel(&call.context, &version_);
    ASSERT_TRUE(stream->Write(Header("models/m")));
    ASSERT_TRUE(stream->Write(Chunk(0, bytes_.substr(0, 100))));
    call.context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  stack_->server->Stop(std::chrono::seconds(60));

  EXPECT_EQ(StagedCount(), 0U);
  EXPECT_THAT(stack_->models->VersionsOf("m"), IsEmpty());
}

class NamedUploadTest : public UploadTest {
 protected:
  NamedUploadTest() { header_.mutable_header()->set_upload_id(kId); }

  grpc::Status GetUpload(const std::string& id = kId) {
    Call call;
    transfer::v1::GetUploadRequest request;
    request.set_upload_id(id);
    return stack_->stub->GetUpload(&call.context, request, &upload_);
  }

  void SendPart() {
    const grpc::Status status = Upload({header_, Chunk(0, bytes_.substr(0, 100))});
    EXPECT_THAT(status.error_message(), HasSubstr("ended before its close, after 100 bytes"));
  }

  static constexpr const char* kId = "0123456789abcdef";
  v1::UploadModelRequest header_ = Header("models/m");
  transfer::v1::Upload upload_;
};

TEST_F(NamedUploadTest, GoesOnAfterARestartWhereItsCallBroke) {
  SendPart();
  stack_.reset();
  stack_ = std::make_unique<ServingStack>(folder_.path());
  ASSERT_TRUE(GetUpload().ok());
  EXPECT_EQ(upload_.received_bytes(), 100);

  const grpc::Status status = Upload({header_, Chunk(100, bytes_.substr(100)), Close(bytes_)});

  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(version_.name(), "models/m/versions/1");
  EXPECT_TRUE(stack_->models->Find("models/m").ok());
}

TEST_F(NamedUploadTest, AnsweredForItIsGoneAndSentAgainItIsTheSameVersion) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Upload({header_, Chunk(0, bytes_), Close(bytes_)}).ok());
    EXPECT_EQ(version_.name(), "models/m/versions/1");
    const grpc::Status status = GetUpload();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_THAT(status.error_message(), HasSubstr("no such upload that can go on"));
    EXPECT_EQ(StagedCount(), 0U);
  }
  EXPECT_THAT(stack_->models->VersionsOf("m"), ElementsAre(1));
}

TEST_F(NamedUploadTest, IsBoundToItsModel) {
  SendPart();
  v1::UploadModelRequest other = Header("models/other");
  other.mutable_header()->set_upload_id(kId);
  ExpectError({other, Chunk(100, bytes_.substr(100)), Close(bytes_)},
              grpc::StatusCode::INVALID_ARGUMENT,
              "with another header");
}

TEST_F(NamedUploadTest, WhatIsNoBundleDoesNotStay) {
  const std::string other = "not a bundle";
  ExpectError(
      {header_, Chunk(0, other), Close(other)}, grpc::StatusCode::INVALID_ARGUMENT, "not a bundle");
  EXPECT_EQ(GetUpload().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(StagedCount(), 0U);
}

TEST_F(NamedUploadTest, NamesAreChecked) {
  header_.mutable_header()->set_upload_id("short");
  ExpectError({header_, Chunk(0, bytes_)},
              grpc::StatusCode::INVALID_ARGUMENT,
              "upload_id must be 16 to 64");
  EXPECT_EQ(GetUpload("").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(UploadTest, TakesUpToItsLimitAndNoMore) {
  stack_.reset();
  const auto limit = static_cast<std::int64_t>(bytes_.size());
  stack_ = std::make_unique<ServingStack>(folder_.path(), limit - 1);
  ExpectError({Header("models/m"), Chunk(0, bytes_), Close(bytes_)},
              grpc::StatusCode::RESOURCE_EXHAUSTED,
              "");
  stack_.reset();
  stack_ = std::make_unique<ServingStack>(folder_.path(), limit);
  EXPECT_TRUE(UploadWhole(bytes_).ok());
}

// Eight of them, with a header and without, once kept everybody else out.
TEST_F(UploadTest, StreamsThatWaitShutNobodyOutAndAreEnded) {
  constexpr int kStreams = 20;
  std::vector<std::unique_ptr<Call>> calls;
  std::vector<std::unique_ptr<grpc::ClientWriter<v1::UploadModelRequest>>> streams;
  std::vector<v1::ModelVersion> versions(kStreams);
  for (int i = 0; i < kStreams; ++i) {
    calls.push_back(std::make_unique<Call>());
    streams.push_back(
        stack_->stub->UploadModel(&calls.back()->context, &versions[static_cast<std::size_t>(i)]));
    if (i % 2 == 0) {
      ASSERT_TRUE(streams.back()->Write(Header("models/m")));
    }
  }

  const grpc::Status uploaded = UploadWhole(bytes_);

  EXPECT_TRUE(uploaded.ok()) << uploaded.error_message();
  for (const auto& stream : streams) {
    const grpc::Status ended = stream->Finish();
    EXPECT_EQ(ended.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << ended.error_message();
    EXPECT_THAT(ended.error_message(), HasSubstr("no message came for 0.2 s"));
  }
  EXPECT_EQ(StagedCount(), 0U);
}

TEST_F(UploadTest, ARestartKeepsWhatWasAcknowledged) {
  ASSERT_TRUE(UploadWhole(bytes_).ok());
  stack_.reset();
  stack_ = std::make_unique<ServingStack>(folder_.path());

  EXPECT_THAT(stack_->models->VersionsOf("m"), ElementsAre(1));
  EXPECT_TRUE(stack_->models->Find("models/m").ok());
}

TEST_F(UploadTest, AMessageThatCannotBeParsedIsSaidAndNoEndOfTheStream) {
  for (const bool header_first : {false, true}) {
    Call call;
    grpc::GenericStub stub(stack_->server->InProcessChannel());
    grpc::CompletionQueue queue;
    const auto stream =
        stub.PrepareCall(&call.context, "/millrace.serving.v1.ServingService/UploadModel", &queue);
    const auto next = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    stream->StartCall(nullptr);
    ASSERT_TRUE(next());
    if (header_first) {
      const grpc::Slice header(Header("models/m").SerializeAsString());
      stream->Write(grpc::ByteBuffer(&header, 1), nullptr);
      ASSERT_TRUE(next());
    }
    const grpc::Slice garbage("\xff\xff");
    stream->Write(grpc::ByteBuffer(&garbage, 1), nullptr);
    next();
    grpc::Status status;
    stream->Finish(&status, nullptr);
    next();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << header_first;
    EXPECT_THAT(status.error_message(),
                HasSubstr("cannot be parsed as millrace.serving.v1.UploadModelRequest"));
  }
}

}  // namespace
}  // namespace millrace::serving
