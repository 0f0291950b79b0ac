# `cmake --install` and the Debian package: cpack -G DEB --config <build directory>/CPackConfig.cmake
set(documents ${CMAKE_INSTALL_DATAROOTDIR}/doc/acp-relay)
install(FILES README.md CHANGELOG.md SECURITY.md ARCHITECTURE.md CONTRIBUTING.md LICENSE
        DESTINATION ${documents})
install(DIRECTORY docs DESTINATION ${documents})
install(DIRECTORY deploy/prometheus deploy/grafana DESTINATION ${documents}/examples)
install(FILES config.production.yaml config/relay.example.yaml DESTINATION ${documents}/examples)
# Where systemd and an administrator look for them, whatever the prefix is.
install(FILES deploy/systemd/acp-relay.service DESTINATION /lib/systemd/system)
install(FILES config.yaml DESTINATION /etc/acp-relay
        PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)  # it may hold keys

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
set(CPACK_DEBIAN_PACKAGE_DEPENDS passwd)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS docker.io)
set(debian ${CMAKE_SOURCE_DIR}/deploy/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
