#include "common/transfer/upload_journal.h"

#include <string>

#include <gtest/gtest.h>

namespace millrace::transfer {
namespace {

const std::string kDigest(64, 'a');
const std::string kSender(16, 'b');
const std::string kHead =
    JournalHead({.header_sha256 = kDigest, .subject = "datasets/iris", .sender = kSender});

TEST(UploadJournalTest, TheLastLineCounts) {
  const std::string text =
      kHead + JournalLine({.received_bytes = 0, .time_seconds = 1'700'000'000}) +
      JournalLine({.received_bytes = 8'388'608, .time_seconds = 1'700'000'007}) +
      JournalLine({.received_bytes = 100, .time_seconds = 1'700'000'009});

  const auto journal = ParseJournal(text);

  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ(journal->origin.header_sha256, kDigest);
  EXPECT_EQ(journal->origin.subject, "datasets/iris");
  EXPECT_EQ(journal->origin.sender, kSender);
  EXPECT_EQ(journal->last.received_bytes, 100);
  EXPECT_EQ(journal->last.time_seconds, 1'700'000'009);
  EXPECT_EQ(journal->size_bytes, static_cast<std::int64_t>(text.size()));
}

TEST(UploadJournalTest, IsWhatTheHeaderSays) {
  EXPECT_EQ(kHead, "millrace-upload 2 " + kDigest + " datasets/iris " + kSender + "\n");
  EXPECT_EQ(JournalLine({.received_bytes = 5, .time_seconds = 7}), "5 7\n");
}

TEST(UploadJournalTest, OneOfVersion1HasNeitherSubjectNorSender) {
  const auto journal = ParseJournal("millrace-upload 1 " + kDigest + "\n9 1700000000\n");

  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ(journal->origin.header_sha256, kDigest);
  EXPECT_EQ(journal->origin.subject, "");
  EXPECT_EQ(journal->last.received_bytes, 9);
}

TEST(UploadJournalTest, CutAnywhereItIsTheJournalOfItsWholeLines) {
  const std::string text = kHead + "0 1700000000\n" + "12 1700000001\n" + "3456 1700000002\n";
  const std::size_t first = kHead.size() + 13;
  const std::size_t second = first + 14;

  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto journal = ParseJournal(text.substr(0, size));
    if (size < first) {
      EXPECT_EQ(journal.status().code(), absl::StatusCode::kDataLoss) << size;
      continue;
    }
    ASSERT_TRUE(journal.ok()) << size;
    EXPECT_EQ(journal->last.received_bytes, size < second ? 0 : 12) << size;
    EXPECT_EQ(journal->size_bytes, static_cast<std::int64_t>(size < second ? first : second));
  }
}

TEST(UploadJournalTest, WhatFollowsADamagedLineDoesNotCount) {
  for (const std::string& damage : {std::string("1x 1700000001\n"),
                                    std::string("12\n"),
                                    std::string("-1 1700000001\n"),
                                    std::string("12 -5\n"),
                                    std::string("12 1700000001 \n"),
                                    std::string(" 12 1700000001\n"),
                                    std::string("99999999999999999999 1\n"),
                                    std::string(14, '\0') + "\n",
                                    std::string("\n")}) {
    std::string text = kHead;
    text += "7 1700000000\n";
    text += damage;
    text += "13 1700000002\n";
    const auto journal = ParseJournal(text);
    ASSERT_TRUE(journal.ok()) << damage;
    EXPECT_EQ(journal->last.received_bytes, 7) << damage;
  }
}

TEST(UploadJournalTest, AnotherHeadIsNoJournal) {
  for (const std::string& head : {std::string("millrace-upload 3 ") + kDigest + "\n",
                                  std::string("millrace-upload 2 ") + kDigest + "\n",
                                  "millrace-upload 2 " + kDigest + " models/m " + kSender + " x\n",
                                  "millrace-upload 2 " + kDigest + " models/m bb\n",
                                  std::string("millrace-upload 1 ") + kDigest + "a\n",
                                  std::string("millrace-upload 1 ") + kDigest.substr(1) + "A\n",
                                  std::string("\n"),
                                  std::string()}) {
    EXPECT_EQ(ParseJournal(head + "0 1700000000\n").status().code(), absl::StatusCode::kDataLoss)
        << head;
  }
}

}  // namespace
}  // namespace millrace::transfer
