# One static library a folder of src/, with the unit tests that lie beside the code.
#   relay_module(protocol DEPENDS base LIBRARIES simdjson::simdjson)
# compiles every *.cpp of the folder (and its subfolders) except *_test.cpp into relay_protocol,
# and every *_test.cpp into the test program protocol_test.
# COLD: no message passes here, so it is compiled for size, which is quicker, too.
# The arrows that point down are checked by tools/check_layers.py.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# The programs people run lie at the top of the build directory: build/release/acp-relay.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

include(JoinedSources)

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(OpenSSL REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(SQLite3 REQUIRED)
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(tl-expected REQUIRED)
find_package(prometheus-cpp REQUIRED CONFIG COMPONENTS core)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

find_program(RELAY_CCACHE ccache)
if(RELAY_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${RELAY_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RELAY_CCACHE})
endif()
find_program(RELAY_MOLD mold)

# What every target of this project is compiled with.
add_library(relay_options INTERFACE)
target_compile_options(relay_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Werror
  # GCC 12 takes Asio's pairs of operator new and delete for coroutine frames for a mismatch, and joined sources
  # for headers, which should not give names without linkage to types.
  $<$<CXX_COMPILER_ID:GNU>:-fcoroutines -Wno-mismatched-new-delete -Wno-subobject-linkage>)
target_compile_definitions(relay_options INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ASIO_DISABLE_BOOST_DATE_TIME
  # A frame that lives long would take the block of a large one that was needed for a moment.
  BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING
  RELAY_VERSION="${PROJECT_VERSION}")
# The root for agent_init/, and for joined sources.
target_include_directories(relay_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
target_link_libraries(relay_options INTERFACE Threads::Threads)
if(RELAY_MOLD AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_link_options(relay_options INTERFACE -fuse-ld=mold)
endif()
if(RELAY_SANITIZE)
  target_compile_options(relay_options INTERFACE
    -fsanitize=${RELAY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(relay_options INTERFACE -fsanitize=${RELAY_SANITIZE})
  if(RELAY_SANITIZE MATCHES undefined AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(relay_options INTERFACE -fno-sanitize=function)
  endif()
endif()
if(RELAY_FUZZ)
  target_compile_options(relay_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# A lambda inside INSTANTIATE_TEST_SUITE_P shadows names of the macro's own. Linked last, so that it
# comes after the warnings above.
add_library(relay_test_options INTERFACE)
target_compile_options(relay_test_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-shadow>)
# Beside the objects of the release, the tests themselves need not be fast.
target_compile_options(relay_test_options INTERFACE $<$<CONFIG:Release>:-O0>)

function(relay_module name)
  cmake_parse_arguments(ARG "COLD" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(TRANSFORM ARG_DEPENDS PREPEND relay_)

  relay_join(sources ${name})
  if(sources)
    add_library(relay_${name} STATIC ${sources})
    target_link_libraries(relay_${name} PUBLIC relay_options ${ARG_DEPENDS} ${ARG_LIBRARIES})
    if(ARG_COLD)
      target_compile_options(relay_${name} PRIVATE $<$<CONFIG:Release>:-Os>)
    endif()
  else()
    add_library(relay_${name} INTERFACE)
    target_link_libraries(relay_${name} INTERFACE relay_options ${ARG_DEPENDS} ${ARG_LIBRARIES})
  endif()

  if(BUILD_TESTING AND tests)
    relay_test(${name}_test SOURCES ${tests} DEPENDS ${name})
  endif()
endfunction()

# Every test program.
add_custom_target(unit_tests)

# A test program: relay_test(name SOURCES ... DEPENDS module...)
function(relay_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  list(TRANSFORM ARG_DEPENDS PREPEND relay_)
  relay_join(ARG_SOURCES ${name})
  add_executable(${name} ${ARG_SOURCES})
  add_dependencies(unit_tests ${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} ${ARG_LIBRARIES} relay_test_options
                        GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE
    RELAY_SOURCE_DIR="${CMAKE_SOURCE_DIR}" RELAY_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST
                       PROPERTIES TIMEOUT 600)
endfunction()
