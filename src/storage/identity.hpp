// Who the relay of a database is: its instance, a random name that is made with the database and
// that its containers and directories carry.
//
// A copy of the database has the same, and two relays with one would each take the other's agents
// for leftovers of its own and remove them. So a relay that runs holds a name of the kernel's (an
// abstract Unix socket), which ends with its process: that of its machine and network namespace.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "storage/database.hpp"

#include <string>

namespace relay::storage {

struct Identity {
  std::string instance;
  bool is_backup = false;  // and has not yet taken over, see take_over()
  UniqueFd claim{};        // no other relay is this one while it is held
};

// The instance in the database; it is made when there is none.
Result<std::string> instance_of(Database& database);

// Claims the instance. When another relay has it, a backup that no relay has used becomes one of
// its own, with an instance of its own; any other copy is refused, and the error names the other's
// process.
Result<Identity> take_identity(Database& database, const std::string& path, const Logger& log);

// Makes it known that this database is a backup of another.
Result<void> mark_as_backup(Database& database);

// The backup is a relay's database like any other from here on.
Result<void> take_over(Database& database);

}  // namespace relay::storage
