#include "common/rpc/address.h"

#include <arpa/inet.h>

namespace millrace::rpc {

std::string HostOf(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size() ||
      address.find_first_not_of("0123456789", colon + 1) != std::string::npos) {
    return "";
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return host;
}

bool IsLoopback(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    return ntohl(v4.s_addr) >> 24U == 127;
  }
  return host == "::1" || host == "localhost";
}

std::string LocalTarget(const std::string& address) {
  const std::string host = HostOf(address);
  const std::string port = address.substr(address.rfind(':') + 1);
  if (host == "0.0.0.0") {
    return "127.0.0.1:" + port;
  }
  return host == "::" ? "[::1]:" + port : address;
}

}  // namespace millrace::rpc
