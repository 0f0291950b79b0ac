# `cmake --install` and the Debian package: cpack -G DEB --config <build directory>/CPackConfig.cmake
set(documents ${CMAKE_INSTALL_DATAROOTDIR}/doc/acp-relay)
install(FILES README.md CHANGELOG.md SECURITY.md ARCHITECTURE.md CONTRIBUTING.md LICENSE
        DESTINATION ${documents})
install(DIRECTORY docs DESTINATION ${documents})
install(DIRECTORY deploy/prometheus deploy/grafana DESTINATION ${documents}/examples)
install(FILES config.production.yaml config/relay.example.yaml DESTINATION ${documents}/examples)
# Where systemd and an administrator look for them, whatever the prefix is.
install(FILES deploy/systemd/acp-relay.service DESTINATION /lib/systemd/system)
# The configuration only where none is: a second installation keeps what was edited. In a package it always is, and
# dpkg asks about it.
install(CODE "
  if(EXISTS \"\$ENV{DESTDIR}/etc/acp-relay/config.yaml\")
    message(STATUS \"Kept: \$ENV{DESTDIR}/etc/acp-relay/config.yaml\")
  else()
    file(INSTALL DESTINATION /etc/acp-relay TYPE FILE
         PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ  # it may hold keys
         FILES \"${CMAKE_SOURCE_DIR}/config.yaml\")
  endif()")

set(CPACK_PACKAGE_NAME acp-relay)
set(CPACK_PACKAGE_VENDOR "The acp-relay authors")
set(CPACK_PACKAGE_CONTACT "The acp-relay authors <acp-relay@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "relay to coding agents that speak ACP")
set(CPACK_PACKAGE_DESCRIPTION
    "Clients reach it over HTTP, WebSocket and ACP's remote transport; each session's agent runs in a
Docker container of its own. What they say is kept and replayed.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# ca-certificates: by them upstreams over TLS are known. dpkg-shlibdeps adds the libraries.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "passwd, ca-certificates")
# Without the alternative apt would put docker.io in the place of a docker-ce.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "docker.io | docker-ce")
set(debian ${CMAKE_SOURCE_DIR}/deploy/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/cmake/PackageTools.cmake)
include(CPack)
