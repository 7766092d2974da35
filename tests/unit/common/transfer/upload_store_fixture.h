// UploadStoreTest: a store of uploads in a folder, and calls that send to it.

#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/storage/sha256.h"
#include "common/transfer/upload_store.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/common/transfer/set_clock.h"

namespace millrace::transfer {

inline const std::string kId = "upload-0123456789abcdef";
inline constexpr std::int64_t kChunk = 1'000;
inline constexpr auto kAborted = absl::StatusCode::kAborted;
inline constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
inline constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

inline std::string Bytes(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>('a' + i * i % 23);
  }
  return bytes;
}

inline v1::Close CloseOf(const std::string& bytes) {
  v1::Close close;
  close.set_size_bytes(static_cast<std::int64_t>(bytes.size()));
  close.set_sha256(storage::Sha256Of(bytes));
  return close;
}

inline absl::Status TakeAt(UploadStore::Incoming& upload,
                           std::int64_t offset,
                           const std::string& data) {
  v1::Chunk chunk;
  chunk.set_offset(offset);
  chunk.set_data(data);
  return upload.Take(chunk);
}

// Sends [begin, end) of `bytes` in chunks.
inline absl::Status TakeRange(UploadStore::Incoming& upload,
                              const std::string& bytes,
                              std::int64_t begin,
                              std::int64_t end) {
  for (std::int64_t at = begin; at < end; at += kChunk) {
    const auto size = static_cast<std::size_t>(std::min(kChunk, end - at));
    RETURN_IF_ERROR(TakeAt(upload, at, bytes.substr(static_cast<std::size_t>(at), size)));
  }
  return absl::OkStatus();
}

class UploadStoreTest : public testing::Test {
 protected:
  UploadStoreTest() { header_.set_upload_id("any message will do"); }

  // Another start of the service over the same folder.
  void Restart(storage::FileSystem& files = storage::PosixFileSystem()) {
    store_.reset();
    auto store = UploadStore::Open(files, folder_.path(), clock_, limits_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  std::unique_ptr<UploadStore::Incoming> Begin(const std::string& id = kId) {
    auto upload = store_->Begin(id, header_, sender_);
    EXPECT_TRUE(upload.ok()) << upload.status();
    return *std::move(upload);
  }

  // A call that breaks after [begin, end).
  void Send(std::int64_t begin, std::int64_t end, const std::string& id = kId) {
    const absl::Status taken = TakeRange(*Begin(id), bytes_, begin, end);
    ASSERT_TRUE(taken.ok()) << taken;
  }

  std::int64_t Received(const std::string& id = kId) {
    const auto upload = store_->Find(id);
    EXPECT_TRUE(upload.ok()) << upload.status();
    return upload.ok() ? upload->received_bytes() : -1;
  }

  // Goes on to the end, and expects the whole.
  void Complete() {
    const auto found = store_->Find(kId);
    const std::int64_t from = found.ok() ? found->received_bytes() : 0;
    const auto upload = Begin();
    const absl::Status taken =
        TakeRange(*upload, bytes_, from, static_cast<std::int64_t>(bytes_.size()));
    ASSERT_TRUE(taken.ok()) << taken;
    ExpectWhole(*upload);
  }

  void ExpectWhole(UploadStore::Incoming& upload) {
    const auto sha256 = upload.Finish(CloseOf(bytes_));
    ASSERT_TRUE(sha256.ok()) << sha256.status();
    EXPECT_EQ(*sha256, storage::ToHex(storage::Sha256Of(bytes_)));
    const auto file = upload.OpenBytes();
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ((*file)->size(), static_cast<std::int64_t>(bytes_.size()));
    EXPECT_TRUE(*(*file)->Read(0, (*file)->size()) == bytes_);
  }

  // Time passes, and the store sees it pass.
  void Pass(std::chrono::seconds time) {
    while (time > std::chrono::seconds(0)) {
      const std::chrono::seconds step =
          std::min(time, std::chrono::seconds(std::chrono::minutes(30)));
      clock_.Advance(step);
      store_->Expire();
      time -= step;
    }
  }

  std::vector<v1::Upload> List(std::int32_t page_size = 0, const std::string& token = {}) {
    v1::ListUploadsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    const auto response = store_->List(request);
    EXPECT_TRUE(response.ok()) << response.status();
    next_page_ = response->next_page_token();
    return {response->uploads().begin(), response->uploads().end()};
  }

  [[nodiscard]] std::vector<std::string> Files() const {
    return *storage::PosixFileSystem().List(folder_.path());
  }

  [[nodiscard]] std::string PathOf(const std::string& end) const {
    return folder_.path() + "/" + kId + end;
  }

  storage::TemporaryFolder folder_;
  SetClock clock_;
  UploadLimits limits_{.upload_bytes_max = 20'000'000,
                       .unfinished_bytes_max = 20'000'000,
                       .unfinished_max = 3,
                       .expire = std::chrono::hours(2)};
  v1::GetUploadRequest header_;
  UploadSender sender_{.subject = "datasets/iris", .caller = "ann"};
  std::string next_page_;
  std::string bytes_ = Bytes(10'500);
  std::unique_ptr<UploadStore> store_ =
      *UploadStore::Open(storage::PosixFileSystem(), folder_.path(), clock_, limits_);
};

}  // namespace millrace::transfer
