# Read by cpack before it makes a package. Without these programs CPack would make one that depends on no library, or
# fail without a remedy.
if(CPACK_GENERATOR STREQUAL "DEB")
  foreach(tool file dpkg-shlibdeps)
    find_program(package_tool_${tool} ${tool})
    if(NOT package_tool_${tool})
      message(FATAL_ERROR "The Debian package needs ${tool}. Try: scripts/install.sh package")
    endif()
  endforeach()
endif()
