/* library.h - versions of the libraries behind the ports, for `weir version`. Each is told by the one file
 * that sees the library. */
#ifndef WEIR_PORTS_LIBRARY_H
#define WEIR_PORTS_LIBRARY_H

const char *mqtt_library_version(void); /* "2.0.11" */

#endif
