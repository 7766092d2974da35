// RunningService: a data service on a folder of its own, and a client beside it.

#pragma once

#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "millrace/data/v1/data_service.grpc.pb.h"

#include "common/clock/clock.h"
#include "common/rpc/pool.h"
#include "common/rpc/server.h"
#include "common/storage/file_system.h"
#include "common/storage/sha256.h"
#include "common/transfer/upload_store.h"
#include "services/data/pipeline/pipeline.h"
#include "services/data/rpc/data_service.h"
#include "services/data/rpc/import_slots.h"
#include "services/data/store/dataset_store.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::data {

constexpr std::int64_t kUploadBytesMax = 100'000;
constexpr int kImportsMax = 2;

inline std::string Iris() {
  std::ostringstream bytes;
  bytes << std::ifstream(MILLRACE_SOURCE_DIR "/tests/data/iris.csv", std::ios::binary).rdbuf();
  return bytes.str();
}

inline v1::ImportDatasetRequest HeaderOf(const std::string& dataset) {
  v1::ImportDatasetRequest request;
  request.mutable_header()->set_dataset(dataset);
  request.mutable_header()->set_file_name("iris.csv");
  request.mutable_header()->mutable_options()->set_label("species");
  return request;
}

inline v1::ImportDatasetRequest ChunkOf(std::int64_t offset, std::string data) {
  v1::ImportDatasetRequest request;
  request.mutable_chunk()->set_offset(offset);
  request.mutable_chunk()->set_data(std::move(data));
  return request;
}

inline v1::ImportDatasetRequest CloseOf(const std::string& bytes) {
  v1::ImportDatasetRequest request;
  request.mutable_close()->set_size_bytes(static_cast<std::int64_t>(bytes.size()));
  request.mutable_close()->set_sha256(storage::Sha256Of(bytes));
  return request;
}

/// The messages of an import of `bytes` in chunks of `size`.
inline std::vector<v1::ImportDatasetRequest> UploadOf(const std::string& dataset,
                                                      const std::string& bytes,
                                                      std::size_t size) {
  std::vector<v1::ImportDatasetRequest> messages = {HeaderOf(dataset)};
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    messages.push_back(ChunkOf(static_cast<std::int64_t>(at), bytes.substr(at, size)));
  }
  messages.push_back(CloseOf(bytes));
  return messages;
}

/// Longer than a passing test waits between two messages.
constexpr std::chrono::milliseconds kIdleMax{300};

/// Reads a stream to its end; `messages` are then all that it had.
template <typename Response>
grpc::Status ReadAll(grpc::ClientReader<Response>& stream, std::vector<Response>& messages) {
  messages.clear();
  Response message;
  while (stream.Read(&message)) {
    messages.push_back(message);
  }
  return stream.Finish();
}

class RunningService : public testing::Test {
 protected:
  explicit RunningService(storage::FileSystem& files = storage::PosixFileSystem(),
                          Pipeline pipeline = RunPipeline,
                          ReadLimits read_limits = {},
                          std::size_t answer_bytes_max = std::size_t{4} << 20U)
      : store_(*DatasetStore::Open(storage::PosixFileSystem(), path(), SystemClock())),
        upload_store_(*transfer::UploadStore::Open(
            files,
            uploads(),
            SystemClock(),
            {.upload_bytes_max = kUploadBytesMax, .unfinished_bytes_max = 2 * kUploadBytesMax})),
        service_({.files = files,
                  .store = *store_,
                  .disk = disk_,
                  .imports = imports_,
                  .slots = slots_,
                  .uploads = *upload_store_,
                  .idle = idle_,
                  .scratch_folder = uploads(),
                  .pipeline = std::move(pipeline),
                  .answer_bytes_max = answer_bytes_max},
                 read_limits) {
    auto server = rpc::Server::Start({}, {&service_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::DataService::NewStub(server_->InProcessChannel());
  }

  /// Sends messages and, unless it is cancelled, the end of the stream.
  grpc::Status Import(const std::vector<v1::ImportDatasetRequest>& messages) {
    grpc::ClientContext context;
    return Import(context, messages);
  }

  grpc::Status Import(grpc::ClientContext& context,
                      const std::vector<v1::ImportDatasetRequest>& messages) {
    version_.Clear();
    const auto stream = stub_->ImportDataset(&context, &version_);
    for (const auto& message : messages) {
      if (!stream->Write(message)) {
        break;
      }
    }
    stream->WritesDone();
    return stream->Finish();
  }

  /// The names of all versions.
  std::vector<std::string> Names() {
    grpc::ClientContext context;
    v1::ListDatasetsResponse response;
    const grpc::Status status = stub_->ListDatasets(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> names;
    for (const auto& version : response.datasets()) {
      names.push_back(version.name());
    }
    return names;
  }

  /// Neither in the list nor on the disk.
  void ExpectNothingLeft() {
    EXPECT_EQ(store_->List("", 10, "")->datasets_size(), 0);
    EXPECT_THAT(*storage::PosixFileSystem().List(uploads()), testing::IsEmpty());
    EXPECT_THAT(*storage::PosixFileSystem().List(path() + "/blobs"), testing::IsEmpty());
  }

  /// Waits until every call has ended on the server's side too.
  void Stop() { server_->Stop(std::chrono::seconds(5)); }

  static void ExpectFailure(const grpc::Status& status,
                            grpc::StatusCode code,
                            const std::string& phrase) {
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), testing::HasSubstr(phrase));
  }

  [[nodiscard]] const std::string& path() const { return folder_.path(); }

  [[nodiscard]] std::string uploads() const { return path() + "/uploads"; }

  storage::TemporaryFolder folder_;
  std::unique_ptr<DatasetStore> store_;
  std::unique_ptr<transfer::UploadStore> upload_store_;
  transfer::IdleWatch idle_{kIdleMax};
  ImportSlots slots_{kImportsMax};
  rpc::Pool disk_{2, 64};
  rpc::Pool imports_{kImportsMax, kImportsMax};
  DataService service_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<v1::DataService::Stub> stub_;
  v1::DatasetVersion version_;
};

}  // namespace millrace::data
