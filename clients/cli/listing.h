// Listing: pages of a list, as one.

#pragma once

#include <algorithm>

#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "common/status/status.h"

#include "clients/cli/shell.h"

namespace millrace::cli {

constexpr int kListDefault = 100;  // rows of a list, where the user does not say

/// Calls `method` page by page until there are `limit` items or no more, and says on the error
/// stream when something was left out.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> List(Shell& shell,
                              const absl::StatusOr<Stub*>& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                           const Request&,
                                                           Response*),
                              Request request,
                              int limit) {
  constexpr int kPageMax = 1000;
  Response all;
  for (int wanted = limit; wanted > 0; wanted -= request.page_size()) {
    request.set_page_size(std::min(wanted, kPageMax));
    ASSIGN_OR_RETURN(Response page, shell.connection.Call(stub, method, request));
    all.MergeFrom(page);
    all.set_next_page_token(page.next_page_token());
    if (page.next_page_token().empty()) {
      return all;
    }
    request.set_page_token(page.next_page_token());
  }
  shell.console.Note(fmt::format("the newest {}; --limit shows more", limit));
  return all;
}

}  // namespace millrace::cli
