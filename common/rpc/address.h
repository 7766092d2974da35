// Address: what host:port says before anything is bound or called.

#pragma once

#include <string>

namespace millrace::rpc {

/// The host of "host:port" without the brackets of IPv6; empty when there is no port.
std::string HostOf(const std::string& address);

/// Whether `host` can be reached from this machine alone.
bool IsLoopback(const std::string& host);

/// Where a program on the same machine reaches a server that listens on `address`: the loopback
/// when that is every address of the machine, else `address`.
std::string LocalTarget(const std::string& address);

}  // namespace millrace::rpc
