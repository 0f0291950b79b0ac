# Several source files compiled as one. Most of the time that a small file takes is for the headers of libraries
# and for the templates it shares with its neighbours; joined, a module pays once for them.
# CMake's own unity builds write absolute paths, with which ccache finds nothing in another checkout of the same
# commit; these name their parts relative to the project.
set(RELAY_JOIN 0 CACHE STRING "How many source files of a target are compiled as one, at most; 0: each by itself")

# relay_join(LIST NAME): puts files that include those of LIST in their place. A *_impl.cpp compiles a library
# and stays by itself.
function(relay_join list name)
  if(RELAY_JOIN LESS 2)
    return()
  endif()
  list(SORT ${list})
  set(result)
  set(taken 0)
  foreach(source IN LISTS ${list})
    cmake_path(ABSOLUTE_PATH source NORMALIZE)
    if(source MATCHES "_impl\\.cpp$")
      list(APPEND result ${source})
      continue()
    endif()
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_SOURCE_DIR})
    math(EXPR number "${taken} / ${RELAY_JOIN} + 1")
    math(EXPR taken "${taken} + 1")
    string(APPEND text_${number} "#include \"${source}\"\n")
  endforeach()
  set(number 1)
  while(DEFINED text_${number})
    set(joined ${CMAKE_CURRENT_BINARY_DIR}/joined/${name}_${number}.cpp)
    file(CONFIGURE OUTPUT ${joined} CONTENT "${text_${number}}" @ONLY)
    list(APPEND result ${joined})
    math(EXPR number "${number} + 1")
  endwhile()
  set(${list} ${result} PARENT_SCOPE)
endfunction()
