// Boost.JSON, compiled into the agent so that it needs no library at run time.
#include <boost/json/src.hpp>
